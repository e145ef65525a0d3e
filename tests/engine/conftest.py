"""The fixture of `engine_bench`."""

from engine_bench import bench

__all__ = ["bench"]
