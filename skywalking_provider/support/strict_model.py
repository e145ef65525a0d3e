"""Base class of the models that people write: the block and the configuration."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class StrictModel(BaseModel):
    """A mapping with camelCase keys. Unknown keys are errors; instances are immutable."""

    model_config = ConfigDict(
        frozen=True,
        defer_build=True,  # a model that is only part of another one needs no validator of its own
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=False,
        arbitrary_types_allowed=True,  # time zones, secrets
    )
