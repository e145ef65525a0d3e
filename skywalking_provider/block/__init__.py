"""The block of a metric: its models, its parser and its JSON Schema. No I/O."""

from skywalking_provider.block.alarms import AlarmsSpec
from skywalking_provider.block.common import OnNoData, OnOutage
from skywalking_provider.block.compare import Bound
from skywalking_provider.block.entity import EntityKeys, EntitySpec, Instances, ServiceParts
from skywalking_provider.block.expression import ExpressionSpec
from skywalking_provider.block.graphql import GraphqlSpec
from skywalking_provider.block.indicator import IndicatorName, IndicatorSpec
from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.block.parse import BlockError, Spec, parse_block

__all__ = [
    "AlarmsSpec",
    "BlockError",
    "Bound",
    "EntityKeys",
    "EntitySpec",
    "ExpressionSpec",
    "GraphqlSpec",
    "IndicatorName",
    "IndicatorSpec",
    "Instances",
    "JudgedSpec",
    "OnNoData",
    "OnOutage",
    "ServiceParts",
    "Spec",
    "parse_block",
]
