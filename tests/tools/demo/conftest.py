"""Fixture of the engine's harness."""

from tests.analysis.harness import harness

__all__ = ["harness"]
