"""Metrics query expressions: SkyWalking's language for calculating with metrics."""

from skywalking_provider.mock_oap.mqe.answer import Expressions

__all__ = ["Expressions"]
