"""Texts as the page keeps them: without credentials, of bounded length, printable. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from skywalking_provider.model import Run
from skywalking_provider.series import Bucket, Series

_MAX_TEXT = 2048
_MAX_QUERY = 4096
_MAX_NAME = 253
_MAX_BUCKET = 24
_LABELS = ("rollout-type", "step-index")


@dataclass(frozen=True, slots=True)
class Request:
    """One request to an OAP: its GraphQL and its variables as JSON, which is no JSON where it was shortened."""

    query: str
    variables: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Makes them so.

    Attributes:
        mask: Takes the backends' credentials out of a text: an OAP may repeat them.
    """

    mask: Callable[[str], str] = str

    def text(self, text: str, most: int = _MAX_TEXT) -> str:
        """At most so many characters, all of them printable."""
        text = self.mask(text)
        return printable(text if len(text) <= most else f"{text[: most - 1]}…")

    def name(self, text: str) -> str:
        """As long as a name of Kubernetes may be."""
        return self.text(text, _MAX_NAME)

    def run(self, run: Run) -> Run:
        """Of its labels those that the page shows."""
        return replace(
            run,
            namespace=self.name(run.namespace),
            name=self.name(run.name),
            uid=self.name(run.uid),
            labels={name: self.name(run.labels[name]) for name in _LABELS if name in run.labels},
            owner_kind=self.name(run.owner_kind),
            owner_name=self.name(run.owner_name),
        )

    def request(self, query: str, variables: Mapping[str, object]) -> Request:
        """A request with its variables."""
        written = json.dumps(variables, ensure_ascii=False, default=str) if variables else ""
        return Request(self.text(query, _MAX_QUERY), self.text(written, _MAX_QUERY))

    def series(self, series: Series) -> Series:
        """A series with its name; what an OAP wrote instead of a number is shortened too."""
        return Series(self.name(series.name), tuple(self._bucket(bucket) for bucket in series.buckets))

    def _bucket(self, bucket: Bucket) -> Bucket:
        return self.text(bucket, _MAX_BUCKET) if isinstance(bucket, str) else bucket


def printable(text: str) -> str:
    """The text without what writes backwards, rings a bell or cannot be written at all."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
