"""Conversion of a verdict into the measurement that Argo stores. No I/O; the clock is an argument."""

import json
from datetime import datetime, timedelta

from skywalking_provider.analysis.message import message_for
from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.block import Spec
from skywalking_provider.conditions import Evaluation
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Measurement, Phase
from skywalking_provider.support.instants import EARLIEST, MAX_AHEAD, parse_instant

MAX_VALUE = 32 * 1024
"""Characters of one value. Argo keeps ten measurements of a metric in one AnalysisRun."""

LAST_UNAVAILABLE_KEY = "skywalking/lastUnavailable"
"""Metadata of a pending measurement: the last time at which its backend was unavailable.

It is the only state of a measurement beside Argo's own fields, so any replica can resume it.
"""

_UNAVAILABLE_REASONS = (Reason.OAP_UNAVAILABLE, Reason.PROVIDER_OVERLOADED)
_MAX_QUOTED = 40


def build_measurement(verdict: Verdict, value: str, previous: Measurement, now: datetime) -> Measurement:
    """Build the measurement of a verdict.

    Args:
        verdict: Verdict, without secrets.
        value: JSON of the value, without secrets.
        previous: Measurement before this attempt.
        now: Clock of this process.
    """
    return Measurement(
        phase=verdict.phase,
        started_at=previous.started_at,
        message=message_for(verdict),
        value=value,
        finished_at=now if verdict.phase.completed else None,
        resume_at=_ceil_second(verdict.resume_at) if verdict.resume_at else None,
        metadata=_build_metadata(verdict, previous, now),
    )


def last_unavailable_at(previous: Measurement, now: datetime) -> datetime:
    """Return the last time at which the measurement's backend was unavailable; `EARLIEST` for never.

    Raises:
        ProviderError: REQUEST_INVALID, if the metadata holds another text than an instant of the past.
    """
    text = previous.metadata.get(LAST_UNAVAILABLE_KEY)
    if text is None:
        return EARLIEST
    instant = parse_instant(text)
    if instant is None or instant > now + MAX_AHEAD:  # a measurement would wait for data until then
        raise ProviderError(
            Reason.REQUEST_INVALID,
            f"metadata {LAST_UNAVAILABLE_KEY} is not a time of the past: {text[:_MAX_QUOTED]!r}",
            "Remove the metadata from the measurement in the AnalysisRun",
        )
    return instant


def format_value(evaluation: Evaluation, spec: Spec) -> str:
    """Return the value as Argo stores it. An Error has none, and a value that is too long is replaced by a text."""
    if evaluation.phase is Phase.ERROR:
        return ""
    if len(evaluation.value) <= MAX_VALUE or spec.argo_compatible:
        return evaluation.value
    return json.dumps(
        f"omitted: the result has {len(evaluation.value)} characters; at most {MAX_VALUE} are kept in an AnalysisRun"
    )


def _build_metadata(verdict: Verdict, previous: Measurement, now: datetime) -> dict[str, str]:
    if verdict.phase.completed:  # Argo hides completed measurements that have metadata
        return {}
    instant = now if verdict.reason in _UNAVAILABLE_REASONS else last_unavailable_at(previous, now)
    return {LAST_UNAVAILABLE_KEY: instant.isoformat()} if instant > EARLIEST else {}


def _ceil_second(instant: datetime) -> datetime:
    """Round up to a whole second: Argo stores whole seconds, and would resume a measurement early."""
    floor = instant.replace(microsecond=0)
    return floor if floor == instant else floor + timedelta(seconds=1)
