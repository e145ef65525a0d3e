"""Takes credentials out of words that are not ours: an OAP, or a proxy before it, may repeat what it was sent."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from skywalking_provider.model import Secret

REDACTED = "********"
MIN_SECRET_LENGTH = 4
"""Shorter texts are part of ordinary words; no mask can tell which."""

_MAX_ADDED_SECRETS = 8  # of rotated files: an answer may still repeat the one before


class Redactor:
    """What must not be told, in every way in which a program may print it.

    Args:
        secrets: Those that never change.
    """

    def __init__(self, *secrets: Secret) -> None:
        self._fixed_secrets = secrets
        self._added_secrets: deque[Secret] = deque(maxlen=_MAX_ADDED_SECRETS)
        self._pattern = _compile_pattern(secrets)

    def add_secrets(self, *secrets: Secret) -> None:
        """Mask these as well; the oldest learned ones are forgotten."""
        new = [secret for secret in secrets if secret not in self._added_secrets]
        if new:
            self._added_secrets.extend(new)
            self._pattern = _compile_pattern((*self._fixed_secrets, *self._added_secrets))

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def redact_json_text(self, text: str) -> str:
        """A JSON text without the secrets, JSON still."""
        masked = self(text)
        if masked == text:
            return text
        try:
            json.loads(masked)
        except ValueError:  # a number, or more than one string
            return f'"{REDACTED}"'
        return masked


def redact_json(value: Any, redact: Callable[[str], str]) -> Any:
    """A JSON value with every text of it masked; numbers stay numbers."""
    texts = "\0".join(_iterate_texts(value))  # no credential has a NUL: nothing is found that is not in one of them
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
    forms = {form for secret in secrets for form in _encodings(secret.reveal()) if len(form) >= MIN_SECRET_LENGTH}
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None


def _encodings(text: str) -> set[str]:
    """In every way, and in every way of that: a program shows as JSON what another showed as Python."""
    forms = {text, text.strip(), " ".join(text.split())}
    for _ in range(_MAX_NESTING):
        forms |= {encode(form) for form in forms for encode in _ENCODERS}
    return forms


_MAX_NESTING = 3
_ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: quote(text, safe=""),
    quote_plus,
)
