"""What blocks of every form have in common."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from skywalking_provider.support.addresses import normalise_address
from skywalking_provider.support.durations import Duration
from skywalking_provider.support.strict_model import StrictModel

MINUTE = timedelta(minutes=1)
MAX_BUCKETS = 500  # OAP refuses more points in one query

NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class InvalidKeyError(ValueError):
    """A value that is invalid beside other keys, found by a validator of the whole block.

    Args:
        key: The key of the value; the message begins with it.
        problem: The problem and a hint.
    """

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        super().__init__(f"{key}: {problem}")


class OnNoData(StrEnum):
    """The phase of a measurement that found no data, or too few calls, until maxWait."""

    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAILED = "failed"
    SUCCESSFUL = "successful"


class OnOutage(StrEnum):
    """The phase of a measurement whose backend was away for outageGrace."""

    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class CelConditions(StrictModel):
    """Conditions in the Common Expression Language instead of the metric's own ones.

    Attributes:
        language: Only "cel"; the metric's own successCondition and failureCondition are always expr.
        success: As Argo's successCondition.
        failure: As Argo's failureCondition.
    """

    language: Literal["cel"]
    success: str = Field(default="", max_length=2048)
    failure: str = Field(default="", max_length=2048)


class Common(StrictModel):
    """The keys of all forms.

    Attributes:
        backend: Name of a configured backend.
        address: The built-in provider's key; it only selects the configured backend with this address, or alias.
        max_wait: How long to wait for data, from the start of the measurement; by default 5m, 2m in a background run.
        on_no_data: What no data means when max_wait is over.
        outage_grace: How long the backend may be away, from the start of the measurement.
        on_outage: What an outage means when outage_grace is over.
        settle: How long after its end a bucket is read; by default the backend's.
        conditions: Conditions in another language than Argo's.
    """

    backend: NonEmpty | None = None
    address: Annotated[NonEmpty, AfterValidator(normalise_address)] | None = None
    max_wait: Duration | None = None
    on_no_data: OnNoData = OnNoData.INCONCLUSIVE
    outage_grace: Duration = timedelta(minutes=5)
    on_outage: OnOutage = OnOutage.INCONCLUSIVE
    settle: Duration | None = None
    conditions: CelConditions | None = None

    @property
    def argo_compatible(self) -> bool:
        """Whether the query, window and value are those of Argo's built-in provider (`compatibility: argo`)."""
        return False

    @property
    def starts_at_run(self) -> bool:
        """Whether the window excludes buckets from before the start of the run."""
        return False

    @property
    def required_calls(self) -> int:
        """Number of calls below which the window counts as without data."""
        return 0

    def max_wait_for(self, *, background: bool) -> timedelta:
        """Return how long a measurement of this spec waits for data.

        Args:
            background: Whether the run is a background analysis. It blocks no step, so it waits for 2 minutes, not 5.
        """
        if self.max_wait is not None:
            return self.max_wait
        return timedelta(minutes=2 if background else 5)


def _reject_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is true or false where a number is meant")
    return value


NotBoolean = BeforeValidator(_reject_boolean)
"""Pydantic takes `true` for 1; an author never means that."""


def check_whole_buckets(length: timedelta) -> timedelta:
    """A window's length, checked: whole minutes, and no more than OAP answers."""
    if length > MAX_BUCKETS * MINUTE:
        raise ValueError("OAP answers at most 500 minutes in one query; write 500m or less")
    if length < MINUTE or length % MINUTE:
        raise ValueError("SkyWalking's buckets are whole minutes; write 1m, 2m, ...")
    return length


Length = Annotated[Duration, AfterValidator(check_whole_buckets)]
"""The length of a window."""
