"""Which buckets of an author's V2 read are there, as the companions of the read tell it (see `healing`). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider import answers
from skywalking_provider.answers import LABELED, SERIES, VALUE, refuse
from skywalking_provider.forms.healing import CALLS, PRESENT, Own
from skywalking_provider.series import Series


def present_in(name: str, own: Own, data: Mapping[str, Any]) -> list[Series]:
    """The series of a read, absent buckets as None: by label where it has any, at least one.

    Args:
        name: The response name of the read.
        own: The read, answered in SkyWalking's form.
        data: The answer's data, companions included.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, where a companion is answered in another form.
    """
    if own.single:
        return [Series(name, (_single(name, own, data),))]
    told = f"{PRESENT}{name}"
    several = LABELED.read(data, told) if own.labeled else (SERIES.read(data, told),)
    called = _called(name, own, data)
    labels = [one.label if one.label and len(several) > 1 else "" for one in several]
    return [
        Series(f"{name} {label}".rstrip(), _buckets(told, one.values.values, called))
        for label, one in zip(labels, several, strict=True)
    ] or [Series(name, ())]


def _single(name: str, own: Own, data: Mapping[str, Any]) -> int | None:
    if f"{PRESENT}{name}" in own.companions:
        told = VALUE.read(data, f"{PRESENT}{name}")
        return None if told.empty else told.value
    called = _called(name, own, data)
    value: int = data[name]
    return value if called is None or any(called) else None


def _called(name: str, own: Own, data: Mapping[str, Any]) -> list[bool] | None:
    """Bucket by bucket, whether there were calls; None where nobody was asked."""
    if f"{CALLS}{name}" not in own.companions:
        return None
    return [bool(one.value) for one in SERIES.read(data, f"{CALLS}{name}").values.values]


def _buckets(place: str, told: Sequence[answers.Value], called: Sequence[bool] | None) -> tuple[int | None, ...]:
    if called is None:
        return tuple(None if one.empty else one.value for one in told)
    if len(told) != len(called):
        refuse(place, f"{len(told)} buckets, and {len(called)} of calls beside them")
    return tuple(one.value if there else None for one, there in zip(told, called, strict=True))
