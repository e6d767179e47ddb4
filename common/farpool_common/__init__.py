"""The wire between producers and workers: codec, keys, scripts, broker, errors, addresses."""
