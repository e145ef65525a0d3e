"""What all metrics share."""

NAMESPACE = "skywalking_analysis"

DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
"""Buckets of durations: from an answer out of the cache to the longest that a bridge waits."""
