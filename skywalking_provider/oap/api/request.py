"""One GraphQL request to an OAP server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from skywalking_provider.model import Window

_encode_sorted = json.JSONEncoder(sort_keys=True).encode


_BUCKET_FORMAT = "%Y-%m-%d %H%M"  # SkyWalking's, at MINUTE step


@dataclass(frozen=True, slots=True)
class GraphqlRequest:
    """One request to an OAP: a GraphQL text and its variables.

    Attributes:
        query: Text of the query.
        variables: Variables of the query.
        window: The only buckets that it reads; None if the text may read others.
        optional: Whether no verdict depends on the response. It is then sent once, and only while slots are free.
    """

    query: str
    variables: Mapping[str, object]
    window: Window | None = field(default=None, compare=False)
    optional: bool = False

    @property
    def cache_key(self) -> str:
        """Key that only identical requests share. No verdict waits for an optional request, which may be shed."""
        return f"{self.query}\0{_encode_sorted(self.variables)}" + ("\0optional" if self.optional else "")


@dataclass(frozen=True, slots=True)
class RequestFields:
    """Fields that a request reads beside others.

    Attributes:
        declarations: Declarations of their variables.
        selections: Their selections, each with an alias of its own.
        variables: Values of the variables.
        size: Number of fields in all selections, which OAP limits.
    """

    declarations: tuple[str, ...] = ()
    selections: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict)
    size: int = 0


def duration_variable(window: Window) -> dict[str, str]:
    """Build SkyWalking's `Duration` input from a window, in the zone of the window. Both its ends are inclusive."""
    last = (window.end.astimezone(UTC) - window.step).astimezone(window.end.tzinfo)
    return {
        "start": window.start.strftime(_BUCKET_FORMAT),
        "end": last.strftime(_BUCKET_FORMAT),
        "step": "MINUTE",
    }


def parse_duration_variable(duration: Mapping[str, object], zone: tzinfo) -> Window:
    """Parse the result of `duration_variable`.

    Args:
        duration: SkyWalking's `Duration` input, at MINUTE step.
        zone: Zone of the window.
    """
    start, last = (datetime.strptime(str(duration[key]), _BUCKET_FORMAT) for key in ("start", "end"))  # noqa: DTZ007
    end = (last.replace(tzinfo=zone).astimezone(UTC) + timedelta(minutes=1)).astimezone(zone)
    return Window(start.replace(tzinfo=zone), end)
