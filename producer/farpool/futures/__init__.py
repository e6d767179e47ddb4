"""Futures: what a caller holds while its call runs elsewhere, and where an outcome came from."""
