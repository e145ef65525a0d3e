"""Benchmarks: `make bench`, `make bench-live` and `make soak` measure and write their results to bench/results."""
