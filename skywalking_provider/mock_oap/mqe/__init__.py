"""Metrics query expressions (MQE), SkyWalking's language for calculations on metrics."""

from skywalking_provider.mock_oap.mqe.resolver import ExpressionResolver

__all__ = ["ExpressionResolver"]
