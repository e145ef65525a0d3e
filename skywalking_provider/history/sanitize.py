"""Texts as the page keeps them: without credentials, of bounded length, printable. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from skywalking_provider.model import Run
from skywalking_provider.queries.series import Bucket, Series

_MAX_TEXT = 2048
_MAX_QUERY = 4096
_MAX_NAME = 253
_MAX_BUCKET = 24
_LABELS = ("rollout-type", "step-index")


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """One request to an OAP: its GraphQL and its variables as JSON, which is no JSON where it was shortened."""

    query: str
    variables: str = ""


@dataclass(frozen=True, slots=True)
class TextSanitizer:
    """Makes them so.

    Attributes:
        redact: Takes the backends' credentials out of a text: an OAP may repeat them.
    """

    redact: Callable[[str], str] = str

    def sanitize_text(self, text: str, max_characters: int = _MAX_TEXT) -> str:
        """At most so many characters, all of them printable."""
        text = self.redact(text)
        return replace_unprintable(text if len(text) <= max_characters else f"{text[: max_characters - 1]}…")

    def sanitize_name(self, text: str) -> str:
        """As long as a name of Kubernetes may be."""
        return self.sanitize_text(text, _MAX_NAME)

    def sanitize_run(self, run: Run) -> Run:
        """Of its labels those that the page shows."""
        return replace(
            run,
            namespace=self.sanitize_name(run.namespace),
            name=self.sanitize_name(run.name),
            uid=self.sanitize_name(run.uid),
            labels={name: self.sanitize_name(run.labels[name]) for name in _LABELS if name in run.labels},
            owner_kind=self.sanitize_name(run.owner_kind),
            owner_name=self.sanitize_name(run.owner_name),
        )

    def sanitize_request(self, query: str, variables: Mapping[str, object]) -> HistoryRequest:
        """A request with its variables."""
        written = json.dumps(variables, ensure_ascii=False, default=str) if variables else ""
        return HistoryRequest(self.sanitize_text(query, _MAX_QUERY), self.sanitize_text(written, _MAX_QUERY))

    def sanitize_series(self, series: Series) -> Series:
        """A series with its name; what an OAP wrote instead of a number is shortened too."""
        return Series(
            self.sanitize_name(series.name), tuple(self._sanitize_bucket(bucket) for bucket in series.buckets)
        )

    def _sanitize_bucket(self, bucket: Bucket) -> Bucket:
        return self.sanitize_text(bucket, _MAX_BUCKET) if isinstance(bucket, str) else bucket


def replace_unprintable(text: str) -> str:
    """The text without what writes backwards, rings a bell or cannot be written at all."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
