"""Rewriting of conditions on a query's data to conditions on an expression's result.

`all(result.apdex.values.values, {asFloat(.value) >= 9900})` becomes `all(result, # >= 9900)`. A condition with
another pattern is not rewritten at all, because a condition with another meaning is worse than a query.
"""

import re

from skywalking_provider.tools.migrate.to_expression.parse import NotExpressibleError, QueryRead

_TAG = re.compile(r"{{.*?}}", re.DOTALL)
_LOOP = re.compile(r"\b(all|any|none|one|count|filter|map)(\s*)\(\s*\x00(\d+)\x00\s*,\s*")
_VALUE = re.compile(r"\b(?:asFloat|asInt)\(\s*#?\.value\s*\)|(?<![\w\])])#?\.value\b")
_FIRST = re.compile(r"\x00(\d+)\x00(\s*\[\s*-?\d+\s*\])\s*\??\.\s*value\b")
_LENGTH = re.compile(r"\blen\s*\(\s*\x00(\d+)\x00\s*\)")
_DOT = r"\s*\??\.\s*"

# Remains of a pattern that is not supported: result, a string, a comment, a member, a range.
_FOREIGN = re.compile(r"\bresult\b|\x00|[\"'`]|//|/\*|\$env|(?<!\d)\.|\.\s*[A-Za-z_.]")


def rewrite_condition(condition: str, read: QueryRead, quote: str) -> str:
    """Rewrite a condition.

    Args:
        condition: Condition in expr.
        read: The read of the query.
        quote: Quote character for strings in the condition.

    Raises:
        NotExpressibleError: The condition has an unsupported pattern.
    """
    tags: list[str] = []
    subjects: list[str] = []

    def tag(match: re.Match[str]) -> str:
        tags.append(match.group())
        return f"\x01{len(tags) - 1}\x01"

    def subject(match: re.Match[str]) -> str:
        subjects.append(_subject(read, quote, match.groupdict().get("index")))
        return f"\x00{len(subjects) - 1}\x00"

    text = re.sub(_result_pattern(read), subject, _TAG.sub(tag, condition))
    text = _rewrite_single(text) if read.single else _rewrite_series(text)
    if not subjects or _FOREIGN.search(text):
        raise NotExpressibleError(
            f"`{condition.strip()}` must be rewritten by hand for result, which is {describe_result(read)}"
        )
    text = re.sub(r"\x02(\d+)\x02", lambda match: subjects[int(match.group(1))], text)
    return re.sub(r"\x01(\d+)\x01", lambda match: tags[int(match.group(1))], text)


def describe_result(read: QueryRead) -> str:
    """Describe the type of `result`."""
    keys = [f'["{key}"]' for key in (read.instance, *read.percentiles[-1:]) if key]
    one = "a number" if read.single else "a list of numbers"
    return f"a map, with result{''.join(keys)} {one}" if keys else one


def _result_pattern(read: QueryRead) -> str:
    alias = re.escape(read.alias)
    path = rf"\bresult(?:{_DOT}{alias}\b|\s*\[\s*(?P<quote>['\"]){alias}(?P=quote)\s*\])"
    if read.single:
        return rf"{path}(?!{_DOT}|\s*\[|\w)"
    if read.percentiles:
        path += r"\s*\[\s*(?P<index>\d+)\s*\]"
    return rf"{path}{_DOT}values{_DOT}values\b"


def _subject(read: QueryRead, quote: str, index: str | None) -> str:
    keys = [read.instance] if read.instance else []
    if index is not None:
        if int(index) >= len(read.percentiles):
            raise NotExpressibleError(
                f"a condition reads the label with index {index}, but the query has {len(read.percentiles)}"
            )
        keys.append(read.percentiles[int(index)])
    if any(set(key) & set("'\"\\`") for key in keys):
        raise NotExpressibleError("the name of an instance contains quotes")
    return "result" + "".join(f"[{quote}{key}{quote}]" for key in keys)


def _rewrite_single(text: str) -> str:
    """Replace the value by asInt(result): readMetricsValue returns no decimals, an average does."""
    return re.sub(r"(?:\b(?:asFloat|asInt)\(\s*)?\x00(\d+)\x00(?:(?<=\x00)\s*\))?", _without_decimals, text)


def _without_decimals(match: re.Match[str]) -> str:
    number = f"asInt(\x02{match.group(1)}\x02)"
    whole = match.group()
    opened, closed = whole.startswith("as"), whole.endswith(")")
    return number if opened == closed else f"{whole.partition(chr(0))[0]}{number}{')' if closed else ''}"


def _rewrite_series(text: str) -> str:
    while loop := _LOOP.search(text):
        end = _closing_bracket(text, loop.end())
        body = text[loop.end() : end].strip()
        if body.startswith("{") and body.endswith("}"):
            body = body[1:-1].strip()
        body = _VALUE.sub("#", body)
        if re.search(r"\x00|[{}]|#[.\[\w]", body) or _FOREIGN.search(body):
            raise NotExpressibleError(f"the loop body `{body}` has an unsupported pattern")
        text = f"{text[: loop.start()]}{loop.group(1)}(\x02{loop.group(3)}\x02, {body}){text[end + 1 :]}"
    text = _LENGTH.sub(lambda match: f"len(\x02{match.group(1)}\x02)", text)
    return _FIRST.sub(lambda match: f"\x02{match.group(1)}\x02{match.group(2)}", text)


def _closing_bracket(text: str, start: int) -> int:
    """Return the position of the bracket that closes the one before `start`."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
    raise NotExpressibleError("a condition has an unclosed bracket")
