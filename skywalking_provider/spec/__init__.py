"""The block of a template: its models, its errors, the addresses that it may name. No I/O."""

from skywalking_provider.spec.block import Compatibility, OnNoData, OnOutage, Spec, parse_block

__all__ = ["Compatibility", "OnNoData", "OnOutage", "Spec", "parse_block"]
