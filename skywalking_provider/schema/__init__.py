"""The part of SkyWalking's GraphQL schema that this package uses, as SDL files, and its loader.

The mock OAP serves these schemas. The client checks responses to GraphQL blocks against the newest one.
"""

from functools import cache
from importlib import resources
from typing import Final

from graphql import GraphQLSchema, build_schema

BEFORE_9_4: Final = ("common", "records", "events", "alarms", "before-9.4")
"""SDL files of OAP before 9.4. Their names lack `.graphqls`."""
SINCE_9_5: Final = ("common", "records", "events", "alarms", "since-9.5", "mqe")
"""SDL files of OAP 9.5 and newer."""
SINCE_10_2: Final = "since-10.2"
"""SDL file of the additions of OAP 10.2 and 10.3 to metrics."""
WHOLE_TRACES: Final = "whole-traces"
"""SDL file that OAP 10.3 adds to traces."""
ALARMS_SINCE_10_4: Final = ("alarms-10.4",)
"""SDL files of what OAP 10.4 adds to alarms."""
ALARMS_SINCE_11: Final = (*ALARMS_SINCE_10_4, "alarms-11")
"""SDL files of what OAP 10.4 and 11 add to alarms."""


@cache
def load_schema(files: tuple[str, ...]) -> GraphQLSchema:
    """Return the schema that these SDL files define together, parsed on first use."""
    folder = resources.files(__package__)
    sdl = "\n".join((folder / f"{name}.graphqls").read_text(encoding="utf-8") for name in files)
    # A test validates the files, so the service does not; source locations would triple its size.
    return build_schema(sdl, assume_valid=True, no_location=True)
