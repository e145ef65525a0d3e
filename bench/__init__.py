"""What `make bench` and `make bench-live` run: they measure, and commit what they measured to bench/results."""
