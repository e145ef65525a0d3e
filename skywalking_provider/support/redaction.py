"""Redaction of credentials in foreign texts: an OAP, or a proxy in front of it, may repeat what it received."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final

import re2

from skywalking_provider.model import Secret
from skywalking_provider.support.encodings import (
    TABLE,
    Located,
    decode_levels,
    decode_levels_located,
    encode_forms,
    squeeze,
    squeeze_located,
)

REDACTED = "********"
MIN_SECRET_LENGTH: Final = 4
"""Characters. Shorter secrets are parts of ordinary words, so they are not redacted."""

MIN_SECRET_LENGTH_IN_DATA: Final = 8
"""Characters. Shorter secrets may be parts of names, and a name in data must stay as it is."""

_MAX_ADDED_SECRETS = 8  # of rotated files: a response may still repeat the previous one
_MAX_LOCATED_BYTES: Final = (
    64 * 1024
)  # a longer text with a secret is replaced as a whole: places take 16 times its size
_PATTERN_BYTES: Final = 64 << 20  # maximum memory of RE2; the pattern of a token of 4 KiB needs less than 10 MiB
_SPACES: Final = " \t\r\n\f\v"  # those of ASCII; str.strip also removes others
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")


class Redactor:
    """Replaces secrets in texts, in every encoding of the table `redaction_encodings.json`.

    Args:
        secrets: Secrets that never change.
        names: Those of them that data keep, because names of services may contain them.
    """

    def __init__(self, *secrets: Secret, names: AbstractSet[Secret] = frozenset()) -> None:
        self._fixed_secrets = secrets
        self._names = names
        self._added_secrets: deque[Secret] = deque(maxlen=_MAX_ADDED_SECRETS)
        self._compile()

    def add_secrets(self, *secrets: Secret) -> None:
        """Redact these secrets, too. Beyond eight added secrets, the oldest is dropped."""
        new = [secret for secret in secrets if secret not in self._added_secrets]
        if new:
            self._added_secrets.extend(new)
            self._compile()

    def __call__(self, text: str) -> str:
        """Return the text with its secrets redacted."""
        return self._matcher.redact(text)

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

    def is_in_response(self, body: bytes | bytearray) -> bool:
        """Return whether the JSON text of a response may contain a secret. Otherwise its data need no redaction."""
        return self._data_matcher.matches(bytes(body))

    def redact_data(self, data: Any) -> None:
        """Redact the texts of decoded JSON in place, keys included, before conditions and caches read them.

        Numbers and texts that are numbers stay, because they are measured values. So do secrets of fewer than eight
        characters, because they may be parts of names.
        """
        _redact_in_place(data, self._data_matcher)

    def _compile(self) -> None:
        secrets = (*self._fixed_secrets, *self._added_secrets)
        self._matcher = _Matcher(secrets, MIN_SECRET_LENGTH)
        in_data = [
            secret
            for secret in secrets
            if secret not in self._names and len(secret.reveal().strip()) >= MIN_SECRET_LENGTH_IN_DATA
        ]
        # Usually these are all secrets; the pattern of a long token takes tens of milliseconds to compile.
        self._data_matcher = (
            self._matcher if len(in_data) == len(secrets) else _Matcher(in_data, MIN_SECRET_LENGTH_IN_DATA)
        )


class _Matcher:
    """Finds secrets in a text and in its decoded levels."""

    def __init__(self, secrets: Iterable[Secret], min_length: int) -> None:
        texts: set[bytes] = set()
        forms: set[bytes] = set()
        stripped = {text for secret in secrets for text in (secret.reveal().strip(_SPACES), secret.reveal().strip())}
        for text in stripped:
            if len(text) < min_length:
                continue
            raw = _to_bytes(text)
            texts |= {level for level in map(squeeze, decode_levels(raw)) if len(level) >= min_length}
            forms |= {squeeze(form) for form in encode_forms(raw, MIN_SECRET_LENGTH_IN_DATA)}
        self._pattern = _compile_pattern(forms, texts) if texts else None
        self._min_length = min((len(text) for text in (*texts, *forms)), default=0)

    def matches(self, text: bytes) -> bool:
        """Return whether a text contains a secret."""
        pattern = self._pattern
        return pattern is not None and any(pattern.search(squeeze(level)) for level in decode_levels(text))

    def redact(self, text: str) -> str:
        """Return a text with its secrets redacted."""
        if self._pattern is None:
            return text
        raw = _to_bytes(text)
        if len(raw) < self._min_length or not self.matches(raw):
            return text
        if len(raw) > _MAX_LOCATED_BYTES:
            return REDACTED
        position, parts = 0, []
        for start, end in self._find_spans(raw):
            parts.append(raw[position:start])
            position = end
        parts.append(raw[position:])
        return REDACTED.encode().join(parts).decode("utf-8", "surrogatepass")

    def _find_spans(self, text: bytes) -> list[tuple[int, int]]:
        """Return the places of the secrets in a text, sorted and without overlaps."""
        spans = sorted(
            span for level in decode_levels_located(text) for span in self._find_level_spans(squeeze_located(level))
        )
        merged = spans[:1]
        for start, end in spans[1:]:
            last_start, last_end = merged[-1]
            if start < last_end:
                merged[-1] = last_start, max(last_end, end)
            else:
                merged.append((start, end))
        return merged

    def _find_level_spans(self, level: Located) -> Iterator[tuple[int, int]]:
        assert self._pattern is not None  # noqa: S101 - a match was found
        done = 0
        for match in self._pattern.finditer(level.text):
            start, end = match.span()
            if start < done:
                continue
            if match.lastindex == 1:  # base64: its first and last character have bits of neighbours
                while start > done and level.text[start - 1] in _BASE64:
                    start -= 1
                while end < len(level.text) and level.text[end] in _BASE64:
                    end += 1
            done = end
            yield level.starts[start], level.ends[end - 1]


_BASE64: Final = frozenset("".join((*TABLE["base64"], "=")).encode())


def redact_json(value: Any, redact: Callable[[str], str]) -> Any:
    """Return a JSON value with each of its texts redacted. Numbers stay numbers."""
    texts = "\0".join(_iterate_texts(value))  # no credential contains NUL, so a match is within one text
    return value if redact(texts) == texts else _redact_value(value, redact)


def _iterate_texts(value: Any) -> Iterator[str]:
    stack = [value]  # instead of recursion: nested generators take time for each level and text
    while stack:
        match stack.pop():
            case str(text):
                yield text
            case dict(items):
                stack += items.keys()
                stack += items.values()
            case list(items) | tuple(items):
                stack += items


def _redact_value(value: Any, redact: Callable[[str], str]) -> Any:
    match value:
        case str():
            return redact(value)
        case dict():
            return {_redact_value(key, redact): _redact_value(one, redact) for key, one in value.items()}
        case list() | tuple():
            return [_redact_value(one, redact) for one in value]
    return value


def _redact_in_place(root: Any, matcher: _Matcher) -> None:
    """Redact the texts of decoded JSON. A stack instead of recursion: a response may be nested deeply."""
    stack = [root]

    def redact(value: Any) -> Any:
        if isinstance(value, str):
            return value if _NUMBER.fullmatch(value) else matcher.redact(value)
        if isinstance(value, dict | list):
            stack.append(value)
        return value

    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            items = [(matcher.redact(key), redact(value)) for key, value in node.items()]
            node.clear()
            node.update(items)
        elif isinstance(node, list):
            node[:] = [redact(value) for value in node]


def _compile_pattern(forms: set[bytes], texts: set[bytes]) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # decoded levels may be bytes that are not UTF-8
    options.max_mem = _PATTERN_BYTES
    return re2.compile(b"(" + _alternation(forms) + b")|" + _alternation(texts), options)


def _alternation(texts: set[bytes]) -> bytes:
    return b"|".join(re2.escape(text) for text in sorted(texts, key=len, reverse=True))


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
