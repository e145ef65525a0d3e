"""The block under `provider.plugin.<name>`: parsed and checked once, immutable from then on."""

import json
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.spec.address import normalise_address
from skywalking_provider.spec.duration import Duration
from skywalking_provider.spec.problems import describe, keys_of
from skywalking_provider.spec.query import parse_query

MAX_BLOCK_BYTES = 64 * 1024
MINUTE = timedelta(minutes=1)
MAX_BUCKETS = 500  # OAP refuses more points in one query

LATER_KEYS = frozenset(
    {
        "absent", "aggregate", "compare", "conditions", "confidence", "endpoint", "expression", "instances", "layer",
        "minCalls", "percentile", "scale", "service", "since", "sli", "window",
    }
)  # fmt: skip


class OnNoData(StrEnum):
    """The phase of a measurement that found no data until maxWait."""

    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAILED = "failed"
    SUCCESSFUL = "successful"


class OnOutage(StrEnum):
    """The phase of a measurement whose backend was away for outageGrace."""

    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


Compatibility = Literal["argo"]
NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _query(text: str) -> str:
    parse_query(text)
    return text


class Spec(BaseModel):
    """One block. The keys are those that the template's author writes.

    Attributes:
        backend: Name of a configured backend.
        address: The built-in provider's key; it only selects the configured backend with this address.
        interval: Length of the window, the built-in provider's word for it.
        query: GraphQL; `$duration` is given to it.
        compatibility: "argo" reads the built-in provider's own window, the unfinished minute included.
        max_wait: How long to wait for data, from the start of the measurement; by default 5m, 2m in a background run.
        on_no_data: What no data means when max_wait is over.
        outage_grace: How long the backend may be away, from the start of the measurement.
        on_outage: What an outage means when outage_grace is over.
        settle: How long after its end a bucket is read; by default the backend's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    backend: NonEmpty | None = None
    address: Annotated[NonEmpty, AfterValidator(normalise_address)] | None = None
    interval: Duration
    query: Annotated[NonEmpty, AfterValidator(_query)]
    compatibility: Compatibility | None = None
    max_wait: Duration | None = Field(default=None, alias="maxWait")
    on_no_data: OnNoData = Field(default=OnNoData.INCONCLUSIVE, alias="onNoData")
    outage_grace: Duration = Field(default=timedelta(minutes=5), alias="outageGrace")
    on_outage: OnOutage = Field(default=OnOutage.INCONCLUSIVE, alias="onOutage")
    settle: Duration | None = None

    @model_validator(mode="after")
    def _whole_buckets(self) -> "Spec":
        if self.interval > MAX_BUCKETS * MINUTE:
            raise ValueError("interval: OAP answers at most 500 minutes in one query; write 500m or less")
        if self.compatibility is None and (self.interval < MINUTE or self.interval % MINUTE):
            raise ValueError("interval: SkyWalking's buckets are whole minutes; write 1m, 2m, ...")
        return self

    def longest_wait(self, *, background: bool) -> timedelta:
        """How long a measurement of this spec waits for data."""
        if self.max_wait is not None:
            return self.max_wait
        return timedelta(minutes=2 if background else 5)


@lru_cache(maxsize=1024)
def parse_block(block: bytes) -> Spec:
    """Parse the JSON of a block.

    Raises:
        ProviderError: BLOCK_INVALID, with the path of every wrong key.
    """
    if len(block) > MAX_BLOCK_BYTES:
        raise _invalid(f"it has {len(block)} bytes; at most {MAX_BLOCK_BYTES} are read")
    try:
        content = json.loads(block)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _invalid(f"it is a JSON {_json_type(content)}; write an object with the keys interval and query")
    try:
        return Spec.model_validate(content)
    except ValidationError as error:
        raise _invalid(describe(error, keys_of(Spec), later=LATER_KEYS)) from error


def _invalid(what: str) -> ProviderError:
    return ProviderError(Reason.BLOCK_INVALID, f"the block under provider.plugin is wrong: {what}")


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names[type(value)]
