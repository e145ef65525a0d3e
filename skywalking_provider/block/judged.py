"""The query type `sli` with `compare` or `objective`: the block is judged by the evidence since the run's start."""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, FiniteFloat, model_validator

from skywalking_provider.block.common import MINUTE, InvalidKeyError, NotBoolean
from skywalking_provider.block.compare import (
    HARMFUL,
    MAX_DIFFERENCE,
    TOLERATED,
    Bound,
    Compare,
    JudgedConfidence,
    WorseConfidence,
    accept_number,
)
from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.block.indicator import IndicatorName, Percentile, Sli
from skywalking_provider.support.durations import Duration, format_duration

MIN_RATE: Final = 0.5
"""Lowest objective and harmful value of a rate."""
MAX_MINUTES: Final = 480
"""Minutes of one promise. OAP responds with 500 at most."""

Number = Annotated[FiniteFloat, NotBoolean]


def _check_whole_minutes(length: timedelta) -> timedelta:
    if length % MINUTE:
        raise ValueError(
            f"{format_duration(length)} is not in whole minutes, the size of SkyWalking's buckets; write 1m, 2m, ..."
        )
    if length >= MAX_MINUTES * MINUTE:
        raise ValueError(f"is {format_duration(length)}, must be less than {MAX_MINUTES} minutes")
    return length


def _reject_since(value: object) -> object:
    if value is not None:
        raise ValueError("does not belong to a judged block, which always starts at the run; remove it")
    return value


def _reject_map(value: object) -> object:
    if isinstance(value, dict):
        raise ValueError("is a map instead of a number. Write the map below compare, as compare.harmful")
    return value


class JudgedSpec(EntityKeys):
    """An indicator whose closed minutes since the run's start are judged.

    Exactly one of compare and objective is set.

    Attributes:
        since: Not valid in a judged block, which always starts at the run.
        percentile: Percentile of `latency`. Without it, `latency` is the average.
        compare: Stable, with which the canary is compared in the same minutes.
        objective: Success rate or apdex that is wanted at least, or latency in milliseconds that is wanted at most.
        harmful: With objective, the value that must not pass. Default is three times as many failures as the
            objective permits, or twice its latency.
        confidence: Confidence of both findings; a number alone is that of worse.
        warm_up: Time after the run's start that is left out, in whole minutes.
        max_wait: Maximum time to wait for a finding, from the start of the measurement.
    """

    since: Annotated[None, BeforeValidator(_reject_since)] = None
    sli: Sli
    percentile: Percentile | None = None
    compare: Compare | None = None
    objective: Number | None = None
    harmful: Annotated[Number | None, BeforeValidator(_reject_map)] = None
    confidence: Annotated[
        JudgedConfidence, BeforeValidator(accept_number, json_schema_input_type=JudgedConfidence | WorseConfidence)
    ] = JudgedConfidence()
    warm_up: Annotated[Duration, AfterValidator(_check_whole_minutes)] = timedelta(0)
    max_wait: Duration = timedelta(minutes=15)

    @model_validator(mode="after")
    def _check_indicator(self) -> Self:
        if self.sli is IndicatorName.THROUGHPUT:
            raise InvalidKeyError(
                "sli", "throughput cannot be judged, as it follows the weight; write success-rate, apdex or latency"
            )
        if self.percentile is not None and self.sli is not IndicatorName.LATENCY:
            raise InvalidKeyError("percentile", f"belongs to sli: latency, not to {self.sli}")
        if self.compare is None and self.objective is None:
            raise InvalidKeyError("objective", "is empty, and so is compare; write one of them")
        if self.compare is not None and self.objective is not None:
            raise InvalidKeyError("objective", "excludes compare; write one of them")
        return self

    @model_validator(mode="after")
    def _check_objective(self) -> Self:
        if self.objective is None:
            if self.harmful is not None:
                raise InvalidKeyError("harmful", "belongs to an objective; write compare.harmful")
            return self
        harmful = self.harmful_objective or 0.0
        if self.judges_latency:
            if self.objective < 1:
                raise InvalidKeyError("objective", f"is {self.objective:g}, must be at least 1 millisecond")
            if harmful <= self.objective:
                raise InvalidKeyError("harmful", f"is {harmful:g}, must be more than the objective {self.objective:g}")
            return self
        if not MIN_RATE < self.objective < 1:
            percent = f"; write {self.objective / 100:g} for {self.objective:g} %" if self.objective > 1 else ""
            raise InvalidKeyError(
                "objective", f"is {self.objective:g}, must be more than {MIN_RATE} and less than 1{percent}"
            )
        if not MIN_RATE <= harmful < self.objective:
            raise InvalidKeyError(
                "harmful", f"is {harmful:g}, must be at least {MIN_RATE} and less than the objective {self.objective:g}"
            )
        return self

    @model_validator(mode="after")
    def _check_compare(self) -> Self:
        tolerated, harmful = self.tolerated, self.harmful_limit
        if tolerated is None or harmful is None:
            return self
        if self.compare is not None and self.compare.endpoint and self.compare.instances:
            raise InvalidKeyError(
                "compare",
                "has endpoint and instances, but SkyWalking has no metrics of an endpoint per instance; remove one",
            )
        for name in ("ratio", "difference"):
            low, high = getattr(tolerated, name), getattr(harmful, name)
            if low > high:
                raise InvalidKeyError(
                    f"compare.tolerated.{name}", f"is {low:g}, must be at most {high:g}, as in compare.harmful"
                )
        if not self.judges_latency and harmful.difference > MAX_DIFFERENCE:
            raise InvalidKeyError(
                "compare.harmful.difference",
                f"is {harmful.difference:g}, must be at most {MAX_DIFFERENCE}: it is a difference of rates from 0 to 1",
            )
        if tolerated == harmful:
            raise InvalidKeyError("compare.harmful", "is the same as compare.tolerated; increase ratio or difference")
        if tolerated == Bound(0, 1):
            raise InvalidKeyError(
                "compare.tolerated",
                "permits no difference, and with enough traffic every canary differs; increase ratio or difference",
            )
        return self

    @property
    def judged(self) -> bool:
        return True

    @property
    def judges_latency(self) -> bool:
        """Whether a latency is judged instead of a rate."""
        return self.sli is IndicatorName.LATENCY

    @property
    def start_delay(self) -> timedelta:
        return self.warm_up

    @property
    def window_length(self) -> timedelta:
        """Length of the window at most."""
        return MAX_MINUTES * MINUTE

    @property
    def stable(self) -> EntityKeys | None:
        """Selection of stable; None with an objective."""
        if self.compare is None:
            return None
        endpoint = self.compare.endpoint or (None if self.compare.instances else self.endpoint)
        return EntityKeys.model_construct(
            service=self.compare.service or self.service,
            layer=self.compare.layer or self.layer,
            endpoint=endpoint,
            instances=self.compare.instances,
        )

    @property
    def compares_itself(self) -> bool:
        """Whether both sides have calls in common, whatever the OAP lists: one of them is the other or has it."""
        stable = self.stable
        if stable is None or (stable.service, stable.layer) != (self.service, self.layer):
            return False
        return stable.scope is not self.scope or (stable.endpoint, stable.instances) == (self.endpoint, self.instances)

    @property
    def tolerated(self) -> Bound | None:
        """Bound up to which the canary is no worse than tolerated; None with an objective."""
        return None if self.compare is None else self.compare.tolerated.or_default(TOLERATED[self.sli])

    @property
    def harmful_limit(self) -> Bound | None:
        """Bound from which on the canary must not pass; None with an objective."""
        return None if self.compare is None else self.compare.harmful.or_default(HARMFUL[self.sli])

    @property
    def harmful_objective(self) -> float | None:
        """Value that must not pass with an objective; None with compare."""
        if self.objective is None or self.harmful is not None:
            return self.harmful
        return 2 * self.objective if self.judges_latency else max(MIN_RATE, 1 - 3 * (1 - self.objective))

    def describe_standard(self) -> str:
        """Return what the canary is judged against, in one line."""
        unit = " ms" if self.judges_latency else ""
        if self.stable is None:
            return f"objective {self.objective:g}{unit}, harmful {self.harmful_objective:g}{unit}"
        selected = self.stable.instances.display if self.stable.instances else self.stable.endpoint or "another service"
        what = "stable" if self.judges_latency else "stable's failure rate"
        bounds = ", ".join(
            f"{name} {bound.ratio:g} × {what} + {bound.difference:g}{unit}"
            for name, bound in (("tolerated", self.tolerated), ("harmful", self.harmful_limit))
            if bound
        )
        return f"stable ({selected}), {bounds}"
