"""Benchmarks: each alternates a baseline with farpool in one run and prints medians and ratios."""
