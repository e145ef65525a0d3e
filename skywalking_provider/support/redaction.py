"""Redaction of credentials in foreign texts: an OAP, or a proxy in front of it, may repeat what it received."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from skywalking_provider.model import Secret

REDACTED = "********"
MIN_SECRET_LENGTH = 4
"""Characters. Shorter secrets are parts of ordinary words, so they are not redacted."""

_MAX_ADDED_SECRETS = 8  # of rotated files: a response may still repeat the previous one


class Redactor:
    """Replaces secrets in texts, in every encoding in which a program may print them.

    Args:
        secrets: Secrets that never change.
    """

    def __init__(self, *secrets: Secret) -> None:
        self._fixed_secrets = secrets
        self._added_secrets: deque[Secret] = deque(maxlen=_MAX_ADDED_SECRETS)
        self._pattern = _compile_pattern(secrets)

    def add_secrets(self, *secrets: Secret) -> None:
        """Redact these secrets, too. Beyond eight added secrets, the oldest is dropped."""
        new = [secret for secret in secrets if secret not in self._added_secrets]
        if new:
            self._added_secrets.extend(new)
            self._pattern = _compile_pattern((*self._fixed_secrets, *self._added_secrets))

    def __call__(self, text: str) -> str:
        """Return the text with its secrets redacted."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def redact_json_text(self, text: str) -> str:
        """Return a JSON text with its secrets redacted. The result is JSON, too."""
        redacted = self(text)
        if redacted == text:
            return text
        try:
            json.loads(redacted)
        except ValueError:  # the secret was a number, or part of the syntax
            return f'"{REDACTED}"'
        return redacted


def redact_json(value: Any, redact: Callable[[str], str]) -> Any:
    """Return a JSON value with each of its texts redacted. Numbers stay numbers."""
    texts = "\0".join(_iterate_texts(value))  # no credential contains NUL, so a match is within one text
    return value if redact(texts) == texts else _redact_value(value, redact)


def _iterate_texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, one in value.items():
                yield from _iterate_texts(key)
                yield from _iterate_texts(one)
        case list() | tuple():
            for one in value:
                yield from _iterate_texts(one)


def _redact_value(value: Any, redact: Callable[[str], str]) -> Any:
    match value:
        case str():
            return redact(value)
        case dict():
            return {_redact_value(key, redact): _redact_value(one, redact) for key, one in value.items()}
        case list() | tuple():
            return [_redact_value(one, redact) for one in value]
    return value


def _compile_pattern(secrets: tuple[Secret, ...]) -> re.Pattern[str] | None:
    encodings = {
        encoding for secret in secrets for encoding in _encodings(secret.reveal()) if len(encoding) >= MIN_SECRET_LENGTH
    }
    return re.compile("|".join(map(re.escape, sorted(encodings, key=len, reverse=True)))) if encodings else None


def _encodings(text: str) -> set[str]:
    """Return all encodings of a text, up to three nested ones: a program may print as JSON what another printed."""
    encodings = {text, text.strip(), " ".join(text.split())}
    for _ in range(_MAX_NESTING):
        encodings |= {encode(encoding) for encoding in encodings for encode in _ENCODERS}
    return encodings


_MAX_NESTING = 3
_ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: quote(text, safe=""),
    quote_plus,
)
