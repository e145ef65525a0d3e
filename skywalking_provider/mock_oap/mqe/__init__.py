"""Metrics query expressions: SkyWalking's language for calculating with metrics."""

from skywalking_provider.mock_oap.mqe.resolver import ExpressionResolver

__all__ = ["ExpressionResolver"]
