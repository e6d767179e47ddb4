"""What the bridges to joblib and dask share."""
