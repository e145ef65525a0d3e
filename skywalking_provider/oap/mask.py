"""Takes credentials out of words that are not ours: an OAP, or a proxy before it, may repeat what it was sent."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from skywalking_provider.model import Secret

MASKED = "********"
SHORTEST = 4
"""Shorter texts are part of ordinary words; no mask can tell which."""

_REMEMBERED = 8  # of rotated files: an answer may still repeat the one before


class Mask:
    """What must not be told, in every way in which a program may print it.

    Args:
        secrets: Those that never change.
    """

    def __init__(self, *secrets: Secret) -> None:
        self._given = secrets
        self._learned: deque[Secret] = deque(maxlen=_REMEMBERED)
        self._pattern = _pattern_of(secrets)

    def learn(self, *secrets: Secret) -> None:
        """Mask these as well; the oldest learned ones are forgotten."""
        new = [secret for secret in secrets if secret not in self._learned]
        if new:
            self._learned.extend(new)
            self._pattern = _pattern_of((*self._given, *self._learned))

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(MASKED, text) if self._pattern else text

    def json(self, text: str) -> str:
        """A JSON text without the secrets, JSON still."""
        masked = self(text)
        if masked == text:
            return text
        try:
            json.loads(masked)
        except ValueError:  # a number, or more than one string
            return f'"{MASKED}"'
        return masked


def inside(value: Any, mask: Callable[[str], str]) -> Any:
    """A JSON value with every text of it masked; numbers stay numbers."""
    texts = "\0".join(_texts(value))  # no credential has a NUL: nothing is found that is not in one of them
    return value if mask(texts) == texts else _masked(value, mask)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, one in value.items():
                yield from _texts(key)
                yield from _texts(one)
        case list() | tuple():
            for one in value:
                yield from _texts(one)


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    match value:
        case str():
            return mask(value)
        case dict():
            return {_masked(key, mask): _masked(one, mask) for key, one in value.items()}
        case list() | tuple():
            return [_masked(one, mask) for one in value]
    return value


def _pattern_of(secrets: tuple[Secret, ...]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets for form in _forms(secret.reveal()) if len(form) >= SHORTEST}
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None


def _forms(text: str) -> set[str]:
    """In every way, and in every way of that: a program shows as JSON what another showed as Python."""
    forms = {text, text.strip(), " ".join(text.split())}
    for _ in range(_NESTED):
        forms |= {encode(form) for form in forms for encode in _ENCODERS}
    return forms


_NESTED = 3
_ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: quote(text, safe=""),
    quote_plus,
)
