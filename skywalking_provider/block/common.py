"""Keys and types that all query types share."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from skywalking_provider.support.addresses import normalise_address
from skywalking_provider.support.durations import Duration, format_duration
from skywalking_provider.support.strict_model import StrictModel

MINUTE = timedelta(minutes=1)
MAX_BUCKETS = 500  # OAP rejects queries for more points

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
    """Phase of a measurement without data, or with too few calls, when maxWait is over."""

    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAILED = "failed"
    SUCCESSFUL = "successful"


class OnOutage(StrEnum):
    """Phase of a measurement whose backend is unavailable when outageGrace is over."""

    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class BlockConditions(StrictModel):
    """Conditions in the Common Expression Language, instead of the metric's own ones.

    Attributes:
        language: Always "cel". The metric's own successCondition and failureCondition are always expr.
        success: Condition of success, as Argo's successCondition.
        failure: Condition of failure, as Argo's failureCondition.
    """

    language: Literal["cel"]
    success: str = Field(default="", max_length=2048)
    failure: str = Field(default="", max_length=2048)


class Common(StrictModel):
    """Keys of all query types.

    Attributes:
        backend: Name of a configured backend.
        address: URL or alias of a configured backend, which it selects. The built-in provider's key.
        since: "run" excludes buckets from before the run's start, "window" reads the whole window. Default is "run",
            but "window" with `compatibility: argo` and for instances selected by hash, because other versions have
            other hashes.
        earlier_pods: "exclude" leaves out the minutes in which a pod of an earlier version has calls of the measured
            service, for five minutes from the run's start; "include" keeps them. By default they are left out of
            services of a mesh with `canary` or `preview` in their names.
        max_wait: Maximum time to wait for data, from the start of the measurement.
        on_no_data: Phase of a measurement without data when max_wait is over.
        outage_grace: Time for which the backend may be unavailable, from the start of the measurement.
        on_outage: Phase of a measurement whose backend is unavailable when outage_grace is over.
        settle: Time after the end of a bucket before it is read. Default is the backend's.
        conditions: Conditions in CEL instead of Argo's expr.
    """

    backend: NonEmpty | None = None
    address: Annotated[NonEmpty, AfterValidator(normalise_address)] | None = None
    since: Literal["run", "window"] | None = None
    earlier_pods: Literal["exclude", "include"] | None = None
    # An OAP that is fed by Envoy's access logs knows the name of a new pod only after three minutes, and keeps the old
    # name of a relabeled one for up to five.
    max_wait: Duration = timedelta(minutes=7)
    on_no_data: OnNoData = OnNoData.INCONCLUSIVE
    outage_grace: Duration = timedelta(minutes=5)
    on_outage: OnOutage = OnOutage.INCONCLUSIVE
    settle: Duration | None = None
    conditions: BlockConditions | None = None

    @model_validator(mode="after")
    def _check_earlier_pods(self) -> Self:
        if self.earlier_pods == "exclude" and not self.starts_at_run:
            raise InvalidKeyError("earlierPods", "exclude needs since: run; set it, or remove earlierPods")
        return self

    @property
    def argo_compatible(self) -> bool:
        """Whether the query, window and value are those of Argo's built-in provider (`compatibility: argo`)."""
        return False

    @property
    def starts_at_run(self) -> bool:
        """Whether the window excludes buckets from before the start of the run."""
        return self._starts_at_run_by_default if self.since is None else self.since == "run"

    @property
    def judged(self) -> bool:
        """Whether the block is judged by the evidence since the run's start."""
        return False

    @property
    def start_delay(self) -> timedelta:
        """Time after the run's start whose buckets are left out, if the window starts at the run."""
        return timedelta(0)

    @property
    def required_calls(self) -> int:
        """Number of calls below which the window counts as without data."""
        return 0

    @property
    def _starts_at_run_by_default(self) -> bool:
        return True


def _reject_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is true or false, but a number is expected")
    return value


NotBoolean = BeforeValidator(_reject_boolean)
"""Validator against `true`, which pydantic otherwise accepts as 1."""


def check_whole_buckets(length: timedelta) -> timedelta:
    """Return the length of a window if it is valid.

    Raises:
        ValueError: The length is not in whole minutes, or above OAP's limit of 500 buckets.
    """
    if length > MAX_BUCKETS * MINUTE:
        raise ValueError("is longer than 500 minutes, OAP's limit per query; write 500m or less")
    if length < MINUTE or length % MINUTE:
        raise ValueError(
            f"{format_duration(length)} is not in whole minutes, the size of SkyWalking's buckets; write 1m, 2m, ..."
        )
    return length


Length = Annotated[Duration, AfterValidator(check_whole_buckets)]
"""Length of a window."""
