"""Configuration loader. Flags override the environment, which overrides the YAML file, which overrides defaults."""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from skywalking_provider.config.backend import BackendConfig, Basic, Bearer, CacheConfig, CircuitConfig
from skywalking_provider.config.events import EventsConfig
from skywalking_provider.config.key_hints import hint_for_key
from skywalking_provider.config.listeners import HttpConfig, PageConfig
from skywalking_provider.config.root import OAP_ADDRESS, Config, LogConfig
from skywalking_provider.config.service_links import find_service_variables
from skywalking_provider.config.tls import ClientTls, ServerTls
from skywalking_provider.support.key_levels import yaml_keys
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.support.validation_messages import format_validation_error

ENVIRONMENT_PREFIX = "SWP_"
"""SWP_LOG__LEVEL=debug sets log.level; two underscores separate the levels."""

CONFIG_FILE = "SWP_CONFIG_FILE"
"""Variable with the path of the file; not a key of the configuration."""


class ConfigError(Exception):
    """Invalid configuration. The text names the key and the next step."""


_SECTIONS = (
    Config,
    BackendConfig,
    LogConfig,
    HttpConfig,
    PageConfig,
    Basic,
    Bearer,
    CacheConfig,
    CircuitConfig,
    EventsConfig,
    ServerTls,
    ClientTls,
)
_KEYS = frozenset(key for section in _SECTIONS for key in yaml_keys(section))


def load_config(path: Path | None, flags: dict[str, Any], environment: dict[str, str] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: YAML file; None if environment and flags are enough.
        flags: Keys of the configuration from the command line; None values are skipped.
        environment: Environment variables; by default those of the process.

    Raises:
        ConfigError: The file, a key or a value is not valid. The text lists all problems.
    """
    environment = dict(os.environ) if environment is None else environment
    content = _read(path) if path else {}
    if (address := environment.get(OAP_ADDRESS)) and not content.get("backends"):
        content["backends"] = {"default": {"url": address}}
    _merge(content, _read_environment(environment))
    _merge(content, {key: value for key, value in flags.items() if value is not None})
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        place = f"{path}: " if path else ""
        raise ConfigError(f"{place}{format_validation_error(error, Config, key_hint=hint_for_key)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {_describe_yaml_error(error)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: is not a mapping. Begin the file with `backends:`")
    return content


def _describe_yaml_error(error: yaml.YAMLError) -> str:
    """Describe the problem and its place without a text of the file, which may be a password."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be parsed"
    problem = re.sub(r"""['"].*['"]""", "…", problem, flags=re.DOTALL)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


def _read_environment(environment: dict[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    prefixed = {name: value for name, value in environment.items() if name.startswith(ENVIRONMENT_PREFIX)}
    passed_over = find_service_variables(prefixed) | {CONFIG_FILE}
    for name, value in prefixed.items():
        if name in passed_over:
            continue
        keys = [_key(part) for part in name.removeprefix(ENVIRONMENT_PREFIX).split("__")]
        if keys[0] not in yaml_keys(Config):
            hint = did_you_mean(keys[0], yaml_keys(Config), "keys")
            raise ConfigError(f"environment variable {name}: {keys[0]} is an unknown key. {hint}")
        branch: dict[str, Any] = {keys[-1]: value}
        for key in reversed(keys[:-1]):
            branch = {key: branch}
        _merge(content, branch)
    return content


def _key(part: str) -> str:
    """Return a key of the configuration, or a name chosen by the user (a backend, a header), which may have dashes."""
    key = to_camel(part.lower())
    return key if key in _KEYS else part.lower().replace("_", "-")


def _merge(base: dict[str, Any], override: dict[str, Any]) -> None:
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
