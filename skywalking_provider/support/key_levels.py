"""Levels of nested models: the model at a path of keys, and the places whose models have a key.

A hint for an unknown key comes from its own level. A key of another level is a hint of its own: `url` at the root of
the configuration belongs to `backends.<name>`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel


def yaml_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a model as they are written in YAML."""
    return [field.alias or name for name, field in model.model_fields.items()]


def find_level(root: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model at a path of pydantic's error; None if the path leads elsewhere.

    Args:
        root: Model of the whole document.
        path: Keys, indexes, and the branches of unions that pydantic adds.
    """
    level: Any = root
    for part in path:
        following = _step(level, part)
        if following is not None:
            level = following
        elif isinstance(part, int):
            return None
    return next(iter(_models(level)), None)


def find_places(root: type[BaseModel], key: str) -> list[str]:
    """Return the paths of the levels below a root that have a key, such as `backends.<name>.tls`.

    Case, dashes and underscores of the key are ignored.
    """
    wanted = _normalise(key)
    return [path for path, model in _levels(root) if wanted in map(_normalise, yaml_keys(model))]


def match_key(known: Sequence[str], key: str) -> str | None:
    """Return the known key that differs only by case, dashes and underscores; None if there is none."""
    return next((one for one in known if _normalise(one) == _normalise(key)), None)


def _normalise(key: str) -> str:
    return key.replace("-", "").replace("_", "").lower()


def _levels(root: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in root.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        for model in _models(field.annotation):
            place = f"{path}.<name>" if get_origin(_unwrap(field.annotation)) in (dict, Mapping) else path
            yield place, model
            yield from _levels(model, f"{place}.")


def _step(level: Any, part: str | int) -> Any:
    """Return the annotation below one part of a path; None if the part is the branch of a union."""
    if isinstance(part, int):
        return level if _models(level) else None
    for model in _models(level) if get_origin(_unwrap(level)) is not dict else ():
        for name, field in model.model_fields.items():
            if part == (field.alias or name):
                return field.annotation
    if get_origin(_unwrap(level)) is dict:
        return get_args(_unwrap(level))[1]
    return None


def _unwrap(annotation: Any) -> Any:
    """Return the mapping of an optional annotation, or the annotation itself."""
    return next((one for one in get_args(annotation) if get_origin(one) is dict), annotation)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of an annotation: itself, or those of its union, list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for one in get_args(annotation) for model in _models(one)]
