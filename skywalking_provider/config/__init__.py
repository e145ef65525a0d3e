"""The configuration of the service: what an administrator writes, checked."""

from skywalking_provider.config.backend import BackendConfig, CircuitConfig
from skywalking_provider.config.listeners import HttpConfig, PageConfig
from skywalking_provider.config.loader import ConfigError, load_config
from skywalking_provider.config.root import Config, LogConfig

__all__ = [
    "BackendConfig",
    "CircuitConfig",
    "Config",
    "ConfigError",
    "HttpConfig",
    "LogConfig",
    "PageConfig",
    "load_config",
]
