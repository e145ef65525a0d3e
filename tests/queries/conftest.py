"""The engine harness, for tests of queries through a whole measurement."""

from tests.analysis.harness import harness

__all__ = ["harness"]
