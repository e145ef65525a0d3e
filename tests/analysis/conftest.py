"""The fixture of `engine_bench`."""

from tests.analysis.harness import harness

__all__ = ["harness"]
