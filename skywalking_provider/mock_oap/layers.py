"""Layers of services, as in OAP 10.1. Older versions lack the last ones."""

from enum import StrEnum, auto
from typing import Final


class Layer(StrEnum):
    """OAP's `Layer`, in its order."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    UNDEFINED = auto()
    MESH = auto()
    GENERAL = auto()
    OS_LINUX = auto()
    K8S = auto()
    FAAS = auto()
    MESH_CP = auto()
    MESH_DP = auto()
    DATABASE = auto()
    CACHE = auto()
    BROWSER = auto()
    SO11Y_OAP = auto()
    SO11Y_SATELLITE = auto()
    MQ = auto()
    VIRTUAL_DATABASE = auto()
    VIRTUAL_MQ = auto()
    VIRTUAL_GATEWAY = auto()
    K8S_SERVICE = auto()
    MYSQL = auto()
    VIRTUAL_CACHE = auto()
    POSTGRESQL = auto()
    APISIX = auto()
    AWS_EKS = auto()
    OS_WINDOWS = auto()
    AWS_S3 = auto()
    AWS_DYNAMODB = auto()
    AWS_GATEWAY = auto()
    REDIS = auto()
    ELASTICSEARCH = auto()
    RABBITMQ = auto()
    MONGODB = auto()
    KAFKA = auto()
    PULSAR = auto()
    BOOKKEEPER = auto()
    NGINX = auto()
    ROCKETMQ = auto()
    CLICKHOUSE = auto()
    ACTIVEMQ = auto()
    CILIUM_SERVICE = auto()
    SO11Y_JAVA_AGENT = auto()


VIRTUAL_LAYERS: Final = frozenset(
    {Layer.VIRTUAL_DATABASE, Layer.VIRTUAL_MQ, Layer.VIRTUAL_GATEWAY, Layer.VIRTUAL_CACHE}
)
"""Layers of targets without an agent."""
NOT_NORMAL: Final = VIRTUAL_LAYERS | {Layer.UNDEFINED}
"""Layers whose services OAP calls not normal: their ids end in `.0`, and entities name them with `normal: false`."""
