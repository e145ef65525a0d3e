"""The GraphQL schema of a version, from the files in `sdl/`."""

from functools import lru_cache
from importlib import resources
from typing import Final

from graphql import GraphQLSchema, build_schema

from skywalking_provider.mock_oap.versions import select_version

FOLDER: Final = resources.files(__package__) / "sdl"


@lru_cache
def load_schema(version: str) -> GraphQLSchema:
    """The schema of a recorded version."""
    sdl = "\n".join((FOLDER / f"{name}.graphqls").read_text(encoding="utf-8") for name in select_version(version).sdl)
    return build_schema(sdl)
