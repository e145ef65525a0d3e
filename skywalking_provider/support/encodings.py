"""Encodings in which a program may repeat a secret: escapes that are decoded, and forms such as base64.

The table is `redaction_encodings.json`. The bridge has an equal copy of it, and the same rules in Go.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Any, Final, TypeVar

TABLE: Final[dict[str, Any]] = json.loads(
    files("skywalking_provider.support").joinpath("redaction_encodings.json").read_text(encoding="utf-8")
)
_LEVELS: Final[int] = TABLE["levels"]
_MAX_CACHED_ESCAPES: Final = 2048
_SPACE: Final = 0x20
_TO_SPACE: Final = bytes(_SPACE if 0 < code < _SPACE or code in (0x2B, 0x7F) else code for code in range(256))
"""Translation of `+` and of control characters. NUL stays: it separates texts."""

_SPACES: Final = re.compile(rb"  +")


@dataclass(frozen=True, slots=True)
class Located:
    """A decoded text, and for each of its bytes the first byte and the end of its origin in the encoded text."""

    text: bytes
    starts: "array[int]"
    ends: "array[int]"

    @classmethod
    def from_text(cls, text: bytes) -> "Located":
        """Return a text that is its own origin."""
        return cls(text, array("L", range(len(text))), array("L", range(1, len(text) + 1)))

    def replace(self, matches: Iterator[re.Match[bytes]], decode: Callable[[re.Match[bytes]], bytes]) -> "Located":
        """Return the text with each match replaced by its decoded text, which has the origin of the whole match."""
        parts: list[bytes] = []
        starts, ends = array("L"), array("L")
        position = 0
        for match in matches:
            begin, end = match.span()
            decoded = decode(match)
            parts += (self.text[position:begin], decoded)
            starts.extend(self.starts[position:begin])
            ends.extend(self.ends[position:begin])
            starts.extend([self.starts[begin]] * len(decoded))
            ends.extend([self.ends[end - 1]] * len(decoded))
            position = end
        starts.extend(self.starts[position:])
        ends.extend(self.ends[position:])
        return Located(b"".join((*parts, self.text[position:])), starts, ends)


class _Syntax:
    """Escapes of one kind. They begin with the same byte."""

    def __init__(self, definitions: list[dict[str, Any]]) -> None:
        self.starts = [definition["start"].encode() for definition in definitions]
        escapes = [escape for definition in definitions for escape in definition["escapes"]]
        self.pattern = re.compile("|".join(escape["pattern"] for escape in escapes).encode())
        self._decoders: dict[int, Callable[[re.Match[bytes]], bytes]] = {}
        self._decoded: dict[bytes, bytes] = {}  # cache of short escapes: a callback in Python costs most of the time
        group = 0
        for escape in escapes:
            group += re.compile(escape["pattern"]).groups
            self._decoders[group] = _decoder(escape, group)

    def decode(self, match: re.Match[bytes]) -> bytes:
        """Return the decoded text of an escape; the escape itself if it is not valid."""
        escape = match[0]
        decoded = self._decoded.get(escape)
        if decoded is None:
            decoded = self._decoders[match.lastindex or 0](match)
            if len(self._decoded) < _MAX_CACHED_ESCAPES:
                self._decoded[escape] = decoded
        return decoded

    def may_change(self, text: bytes) -> bool:
        """Return whether a text may have such escapes."""
        return any(start in text for start in self.starts)


def _decoder(escape: dict[str, Any], group: int) -> Callable[[re.Match[bytes]], bytes]:
    names = {name.encode(): _encode(code) for name, code in escape.get("names", {}).items()}
    match escape["decode"]:
        case "surrogates":
            return lambda match: _join_surrogates(int(match[group - 1], 16), int(match[group], 16))
        case "hex":
            return lambda match: _encode(int(match[group], 16), match[0])
        case "decimal":
            return lambda match: _encode(int(match[group]), match[0])
        case "hex byte":
            return lambda match: bytes((int(match[group], 16),))
        case "octal byte":
            return lambda match: bytes((int(match[group], 8),))
        case "name":
            return lambda match: names.get(match[group], match[0])
    raise ValueError(f"decode: {escape['decode']!r} is unknown")


def _encode(code: int, otherwise: bytes = b"") -> bytes:
    return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else otherwise


def _join_surrogates(high: int, low: int) -> bytes:
    return _encode(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


_Text = TypeVar("_Text", bytes, Located)

_SYNTAXES: Final = [_Syntax([definition]) for definition in TABLE["syntaxes"]]
_ALL_SYNTAXES: Final = _Syntax(TABLE["syntaxes"])


def decode_levels(text: bytes) -> Iterator[bytes]:
    """Yield a text, and the text after each level of decoding.

    If a text has escapes of several kinds, each kind is also decoded alone: a text before a secret may look like the
    start of an escape of another kind.
    """
    return _decode_levels(text, _substitute, bytes)


def decode_levels_located(text: bytes) -> Iterator[Located]:
    """Yield the texts of `decode_levels` with their origins."""
    return _decode_levels(Located.from_text(text), _substitute_located, lambda located: located.text)


def _decode_levels(
    original: _Text, substitute: Callable[[_Syntax, _Text], _Text], read: Callable[[_Text], bytes]
) -> Iterator[_Text]:
    yield original
    kinds: set[_Syntax] = set()
    for level in _decode_chain(original, _ALL_SYNTAXES, substitute, read):
        kinds |= {syntax for syntax in _SYNTAXES if syntax.may_change(read(level))}
        if level is not original:
            yield level
    if len(kinds) > 1:
        for syntax in _SYNTAXES:
            yield from islice(_decode_chain(original, syntax, substitute, read), 1, None)


def _decode_chain(
    original: _Text, syntax: _Syntax, substitute: Callable[[_Syntax, _Text], _Text], read: Callable[[_Text], bytes]
) -> Iterator[_Text]:
    """Yield a text and its levels until one has no escape."""
    level = original
    yield level
    for _ in range(_LEVELS):
        if not syntax.may_change(read(level)):
            return
        decoded = substitute(syntax, level)
        if read(decoded) == read(level):
            return
        yield (level := decoded)


def _substitute(syntax: _Syntax, text: bytes) -> bytes:
    # re.sub keeps a list of all parts, which takes twelve times the memory of a text of short parts.
    out, position = bytearray(), 0
    for match in syntax.pattern.finditer(text):
        start = match.start()
        if start > position:
            out += text[position:start]
        out += syntax.decode(match)
        position = match.end()
    return bytes(out + text[position:])


def _substitute_located(syntax: _Syntax, text: Located) -> Located:
    return text.replace(syntax.pattern.finditer(text.text), syntax.decode)


def squeeze(text: bytes) -> bytes:
    """Return a text with each run of whitespace, control characters and `+` as one space."""
    text = text.translate(_TO_SPACE)
    while b"  " in text:
        text = text.replace(b"  ", b" ")  # halves each run, in less memory than re.sub
    return text


def squeeze_located(text: Located) -> Located:
    """Squeeze a text as `squeeze` does, and keep the origins."""
    translated = Located(text.text.translate(_TO_SPACE), text.starts, text.ends)
    return translated.replace(_SPACES.finditer(translated.text), lambda _: b" ")


def encode_forms(secret: bytes, min_length: int) -> set[bytes]:
    """Return the base64 and hexadecimal forms of a secret.

    Args:
        secret: The secret.
        min_length: Number of bytes from which a secret is also found inside the base64 of a longer text. Of a shorter
            one too few characters are always the same.
    """
    forms = {secret.hex().translate(str.maketrans(TABLE["hex"][0], digits)).encode() for digits in TABLE["hex"]}
    for alphabet in TABLE["base64"]:
        if len(secret) < min_length:
            forms.add(_base64(secret, alphabet))
        else:
            forms |= {_base64_inside(secret, alphabet, before) for before in range(3)}
    return forms


def _base64(data: bytes, alphabet: str) -> bytes:
    bits = int.from_bytes(data) << (-len(data) * 8 % 6)
    count = (len(data) * 8 + 5) // 6
    return "".join(alphabet[bits >> 6 * (count - 1 - at) & 63] for at in range(count)).encode()


def _base64_inside(secret: bytes, alphabet: str, before: int) -> bytes:
    """Return the characters that the base64 of every text has in which `before` bytes (modulo 3) precede the secret."""
    whole = _base64(bytes(before) + secret, alphabet)
    return whole[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
