"""Recorded exchanges with real OAPs, and those that are not replayed, with the reason."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

CAPTURES = Path(__file__).parent.parent / "captures"
VERSIONS = ("9.2.0", "9.6.0", "10.1.0", "10.4.0")

NOT_REPLAYED = {
    "list-metrics": "the recorded OAPs have fewer metrics; test_supported_parts.py compares the common ones",
    "promql-*": "PromQL is served on another port, which the mock does not have",
}

# Other versions have cases of which only status, content type and length were kept. Their requests are those of this
# version with another window.
COMPLETE_VERSION = "10.1.0"


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """One exchange with a real OAP."""

    version: str
    case: str
    method: str
    path: str
    content_type: str | None
    body: bytes | None
    status: int
    response_content_type: str | None
    response_content_type_known: bool
    response_length: int | None
    response_body: str | None
    """None if only the length was kept."""

    def __str__(self) -> str:
        return f"{self.version}-{self.case}"


def list_cases() -> list[tuple[str, str]]:
    """Return version and name of every recorded case."""
    names = {(version, case) for version in VERSIONS for case in _load_index(version)}
    names |= {
        (version, file.name.removesuffix(".request.json"))
        for version in VERSIONS
        for file in (CAPTURES / version).glob("*.request.json")
    }
    return sorted(names)


def load_replayable() -> Iterator[RecordedExchange]:
    """Yield the exchanges that are replayed against the mock."""
    for version, case in list_cases():
        if not _is_excluded(case):
            yield _load(version, case)


def _is_excluded(case: str) -> bool:
    return any(re.fullmatch(pattern.replace("*", ".*"), case) for pattern in NOT_REPLAYED)


@lru_cache
def _load_index(version: str) -> dict[str, dict[str, Any]]:
    return {entry["case"]: entry for entry in json.loads((CAPTURES / version / "index.json").read_text())["cases"]}


def _load(version: str, case: str) -> RecordedExchange:
    entry = _load_index(version)[case]
    own = CAPTURES / version / f"{case}.request.json"
    kept = own.exists()
    request = json.loads((own if kept else CAPTURES / COMPLETE_VERSION / own.name).read_text())
    if not kept:
        request = _adapt_request(request, version)
    body = request.get("body")
    raw = body if isinstance(body, str) or body is None else json.dumps(body)
    return RecordedExchange(
        version,
        case,
        request["method"],
        request["path"],
        request.get("contentType", "application/json"),
        None if raw is None else raw.encode(),
        entry["status"],
        entry.get("contentType"),
        "contentType" in entry,
        entry.get("bytes"),
        (CAPTURES / version / f"{case}.json").read_text() if kept else None,
    )


def _adapt_request(request: dict[str, Any], version: str) -> dict[str, Any]:
    """Adapt a request of 10.1.0: a minute earlier for 9.6.0 and 10.4.0, without isEmptyValue for 9.2.0."""
    text = json.dumps(request)
    if version in ("9.6.0", "10.4.0"):
        text = re.sub(r"(2026-11-2\d \d{4})(?=\")", lambda match: _subtract_minute(match[1]), text)
    if version == "9.2.0":
        if request["note"] == "below 3000":  # this version rejects a single minute
            text = text.replace('"end": "2026-11-23 2348"', '"end": "2026-11-23 2349"')
        text = text.replace("{ id value isEmptyValue }", "{ id value }")
    return json.loads(text)


def _subtract_minute(text: str) -> str:
    pattern = "%Y-%m-%d %H%M"
    return (datetime.strptime(text, pattern).replace(tzinfo=UTC) - timedelta(minutes=1)).strftime(pattern)
