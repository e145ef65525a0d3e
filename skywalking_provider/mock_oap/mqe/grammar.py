"""Grammar of metrics query expressions, after SkyWalking's MQELexer.g4 and MQEParser.g4."""

from functools import cache
from typing import Any, Final

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from skywalking_provider.mock_oap.mqe import ast
from skywalking_provider.mock_oap.mqe.result import Label
from skywalking_provider.mock_oap.versions import MqeVersion

MAX_TOKENS: Final = 400
"""Bounds the depth of the tree, and with it the recursion of the evaluator."""

_GRAMMAR: Final = r"""
    ?start: expression
    ?expression: %(expression)s
    ?conjunction: comparison | conjunction AND comparison -> binary
    ?comparison: sum | comparison COMPARISON _BOOL? sum  -> binary
    ?sum: product | sum SIGN product                     -> binary
    ?product: operand | product FACTOR operand           -> binary
    ?operand: (DECIMAL | INTEGER)                        -> scalar
        | "(" expression ")"
        | metric
        | (AVERAGE | COUNT) "(" expression ")"           -> aggregate
        | MATHEMATICS "(" expression ")"                 -> mathematics
        | ROUND "(" expression "," INTEGER ")"           -> mathematics
        | TREND "(" metric "," INTEGER ")"               -> trend
        | CHOICE "(" expression ("," expression)* ")"    -> first_present
        | _TOP_N "(" metric "," INTEGER "," ORDER ")"    -> top_n
        | _AGGREGATE_LABELS "(" expression "," AVERAGE keep_labels? ")"  -> aggregate_labels
        | _RELABELS "(" expression "," label%(new_label)s ")"            -> relabel

    metric: NAME ("{" [label%(more_labels)s] "}")?
    label: %(label_name)s "=" TEXT
    keep_labels: "(" label_name ("," label_name)* ")"
    !label_name: UNDERSCORE | NAME

    OR: "||"
    AND: "&&"
    COMPARISON: "==" | "!=" | "<=" | ">=" | "<" | ">"
    SIGN: "+" | "-"
    FACTOR: "*" | "/" | "%%"
    _BOOL.2: /bool\b/i
    ORDER.2: /(asc|des)\b/i
    AVERAGE.2: /(avg|max|min|sum)\b/
    COUNT.2: /(count|latest)\b/
    MATHEMATICS.2: /(abs|ceil|floor)\b/
    ROUND.2: /round\b/
    TREND.2: /(%(trends)s)\b/
    CHOICE.2: /(%(choices)s)\b/
    _TOP_N.2: /top_n\b/
    _RELABELS.2: /relabels\b/
    _AGGREGATE_LABELS.2: /aggregate_labels\b/
    DECIMAL.3: /[0-9]+\.[0-9]+/
    INTEGER.2: /[0-9]+\b/
    UNDERSCORE.2: /_\b/
    NAME: /[a-zA-Z0-9_]+/
    TEXT: /'.*?'|".*?"/s
    %%ignore /[ \t\r\n]+/
"""


class MqeSyntaxError(Exception):
    """A malformed expression. The message begins with the place, as that of OAP's parser: `line 1:15 `."""


def parse_expression(text: str, version: MqeVersion) -> ast.Node:
    """Parse the expression at the start of a text.

    OAP ignores what follows a complete expression: `service_cpm garbage` is `service_cpm`.

    Raises:
        MqeSyntaxError: The text does not begin with an expression, or is too long.
    """
    parser = _build_parser(version).parse_interactive(text)
    last = None
    try:
        for count, token in enumerate(parser.iter_parse(), 1):
            last = token
            if count > MAX_TOKENS:
                raise MqeSyntaxError(f"line 1:0 the expression has more than {MAX_TOKENS} tokens")
    except UnexpectedCharacters as error:
        raise MqeSyntaxError(f"line {error.line}:{error.column - 1} unexpected {error.char!r}") from error
    except UnexpectedToken as error:
        accepted = parser.accepts()  # type: ignore[no-untyped-call]
        if "UNDERSCORE" in accepted and "NAME" not in accepted:  # recorded: a label by its name before OAP 10
            name = error.token.value
            raise MqeSyntaxError(
                f"line {error.line}:{error.column - 1} mismatched input '{name}' expecting {{'_', '}}'}}"
            ) from error
        if "$END" not in accepted:
            raise MqeSyntaxError(f"line {error.line}:{error.column - 1} unexpected {error.token.value!r}") from error
    try:
        node: ast.Node = parser.feed_eof(last)  # type: ignore[no-untyped-call]
    except UnexpectedToken as error:
        raise MqeSyntaxError(f"{_format_end(text)} unexpected '<EOF>'") from error
    return node


def _format_end(text: str) -> str:
    before, _, last = text.rpartition("\n")
    return f"line {text.count(chr(10)) + 1}:{len(last)}" if before or last else "line 1:0"


@cache
def _build_parser(version: MqeVersion) -> Lark:
    grammar = _GRAMMAR % {
        "expression": "conjunction | expression OR conjunction -> binary"
        if version.has_boolean_operators
        else "comparison",
        "label_name": "label_name" if version.free_labels else "UNDERSCORE",
        "more_labels": ' ("," label)*' if version.free_labels else "",
        "new_label": ' "," label' if version.free_labels else "",
        "trends": "increase|rate" if version.has_trends else "(?!)x",  # matches nothing
        "choices": "view_as_seq|is_present" if version.has_trends else "view_as_seq",
    }
    return Lark(grammar, parser="lalr", lexer="basic", transformer=_AstBuilder())


@v_args(inline=True)
class _AstBuilder(Transformer[Token, Any]):
    """Builds a node for each rule of the grammar."""

    def scalar(self, number: Token) -> ast.Scalar:
        return ast.Scalar(float(number))

    def binary(self, left: ast.Node, sign: Token, right: ast.Node) -> ast.Binary:
        return ast.Binary(str(sign), left, right)

    def aggregate(self, function: Token, operand: ast.Node) -> ast.Aggregate:
        return ast.Aggregate(str(function), operand)

    def mathematics(self, function: Token, operand: ast.Node, digits: str = "0") -> ast.Mathematics:
        return ast.Mathematics(str(function), operand, int(digits))

    def trend(self, function: Token, metric: ast.MetricNode, steps: Token) -> ast.Trend:
        return ast.Trend(str(function), metric, int(steps))

    def first_present(self, function: Token, *operands: ast.Node) -> ast.FirstPresent:
        return ast.FirstPresent(str(function), operands)

    def top_n(self, metric: ast.MetricNode, count: Token, order: Token) -> ast.TopN:
        return ast.TopN(metric, int(count), order.lower() == "des")

    def aggregate_labels(self, operand: ast.Node, function: Token, keep: tuple[str, ...] = ()) -> ast.AggregateLabels:
        return ast.AggregateLabels(operand, str(function), keep)

    def relabel(self, operand: ast.Node, old: Label, new: Label | None = None) -> ast.Relabel:
        return ast.Relabel(operand, old, new)

    def metric(self, name: Token, *labels: Label | None) -> ast.MetricNode:
        return ast.MetricNode(str(name), tuple(label for label in labels if label))

    def label(self, name: str, text: Token) -> Label:
        return str(name), text[1:-1]

    def keep_labels(self, *names: str) -> tuple[str, ...]:
        return names

    def label_name(self, name: Token) -> str:
        return str(name)
