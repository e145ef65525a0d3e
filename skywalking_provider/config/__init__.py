"""Configuration of the service, validated."""

from skywalking_provider.config.backend import BackendConfig, CacheConfig, CircuitConfig
from skywalking_provider.config.events import EventsConfig
from skywalking_provider.config.listeners import HttpConfig, PageConfig
from skywalking_provider.config.loader import ConfigError, load_config
from skywalking_provider.config.root import Config, LogConfig

__all__ = [
    "BackendConfig",
    "CacheConfig",
    "CircuitConfig",
    "Config",
    "ConfigError",
    "EventsConfig",
    "HttpConfig",
    "LogConfig",
    "PageConfig",
    "load_config",
]
