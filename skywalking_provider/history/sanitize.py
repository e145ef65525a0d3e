"""Sanitizer for texts of the history: no credentials, bounded length, printable characters only. No I/O."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from skywalking_provider.model import Run
from skywalking_provider.queries.series import Bucket, Series
from skywalking_provider.support.printable import replace_unprintable

_MAX_TEXT = 2048
_MAX_QUERY = 4096
_MAX_NAME = 253
_MAX_BUCKET = 24
_LABELS = ("rollout-type", "step-index")


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """One request to an OAP: its GraphQL query, and its variables as JSON text. Both may be truncated."""

    query: str
    variables: str = ""


@dataclass(frozen=True, slots=True)
class TextSanitizer:
    """Sanitizer for texts that the history keeps.

    Attributes:
        redact: Function that removes the backends' credentials from a text, because an OAP may repeat them.
    """

    redact: Callable[[str], str] = str

    def sanitize_text(self, text: str, max_characters: int = _MAX_TEXT) -> str:
        """Redact a text, truncate it and replace unprintable characters."""
        text = self.redact(text)
        return replace_unprintable(text if len(text) <= max_characters else f"{text[: max_characters - 1]}…")

    def sanitize_name(self, text: str) -> str:
        """Sanitize a name; the length limit is that of Kubernetes names."""
        return self.sanitize_text(text, _MAX_NAME)

    def sanitize_run(self, run: Run) -> Run:
        """Sanitize a run, and keep only the labels that the page shows."""
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
        """Sanitize a request and its variables."""
        text = json.dumps(variables, ensure_ascii=False, default=str) if variables else ""
        return HistoryRequest(self.sanitize_text(query, _MAX_QUERY), self.sanitize_text(text, _MAX_QUERY))

    def sanitize_series(self, series: Series) -> Series:
        """Sanitize the name of a series, and the texts that an OAP returned instead of numbers."""
        buckets = tuple(self._sanitize_bucket(bucket) for bucket in series.buckets)
        return Series(self.sanitize_name(series.title), buckets, series.counts_calls)

    def _sanitize_bucket(self, bucket: Bucket) -> Bucket:
        return self.sanitize_text(bucket, _MAX_BUCKET) if isinstance(bucket, str) else bucket
