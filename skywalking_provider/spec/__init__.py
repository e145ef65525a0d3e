"""The block of a template: its models, its errors, the addresses that it may name. No I/O."""

from skywalking_provider.spec.block import Spec, parse_block
from skywalking_provider.spec.common import OnNoData, OnOutage
from skywalking_provider.spec.entity import EntitySpec, Instances, ServiceParts
from skywalking_provider.spec.graphql import GraphqlSpec
from skywalking_provider.spec.named import ExpressionSpec, Sli, SliSpec

__all__ = [
    "EntitySpec",
    "ExpressionSpec",
    "GraphqlSpec",
    "Instances",
    "OnNoData",
    "OnOutage",
    "ServiceParts",
    "Sli",
    "SliSpec",
    "Spec",
    "parse_block",
]
