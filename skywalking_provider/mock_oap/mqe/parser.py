"""From text to an expression, with the mistakes reported as ANTLR, OAP's parser, words them.

What follows a complete expression is ignored, as in OAP: `service_cpm garbage here` is `service_cpm`.
"""

from typing import Final, NoReturn

from skywalking_provider.mock_oap.mqe import ast
from skywalking_provider.mock_oap.mqe.lexer import Kind, Lexer, MqeSyntaxError, Token
from skywalking_provider.mock_oap.mqe.result import Label
from skywalking_provider.mock_oap.versions import MqeVersion

__all__ = ["MqeSyntaxError", "parse"]

_STRENGTH: Final = {
    **dict.fromkeys(("==", "!=", "<=", "<", ">=", ">"), 1),
    **dict.fromkeys("+-", 2),
    **dict.fromkeys("*/%", 3),
}
AGGREGATIONS: Final = ("avg", "count", "latest", "max", "min", "sum")
MATHEMATICS: Final = ("abs", "ceil", "floor")
LABEL_FUNCTIONS: Final = ("avg", "sum", "max", "min")
MAX_DEPTH: Final = 200
_KEYWORDS: Final = ("_", "bool", "asc", "des")


def parse(text: str, dialect: MqeVersion) -> ast.Node:
    """The expression at the start of the text; MqeSyntaxError if there is none."""
    return _Parser(text, dialect).expression()


class _Parser:
    def __init__(self, text: str, dialect: MqeVersion) -> None:
        self._dialect = dialect
        self._lexer = Lexer(text)
        self._ahead = [self._lexer.next()]
        self._taken: list[str] = []
        self._depth = 0

    # -- expressions

    def expression(self, strength: int = 0) -> ast.Node:
        """An expression whose operators bind more strongly."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._next.error("the expression is nested too deeply")
        begin = len(self._taken)
        left = self._operand()
        while self._next.kind is Kind.SIGN and _STRENGTH.get(self._next.text, 0) > strength:
            sign = self._take().text
            if _STRENGTH[sign] == 1 and self._next.text.lower() == "bool":
                self._take()  # a comparison gives 0 or 1 anyway
            right = self.expression(_STRENGTH[sign])
            left = ast.Binary(sign, left, right, self._since(begin))
        self._depth -= 1
        return left

    def _operand(self) -> ast.Node:
        token, begin = self._next, len(self._taken)
        if token.kind in (Kind.INTEGER, Kind.DECIMAL):
            self._take()
            return ast.Scalar(float(token.text), token.text)
        if token.text == "(" and token.kind is Kind.SIGN:
            self._take()
            inner = self.expression()
            self._expect(")")
            return inner
        if token.kind is not Kind.WORD or token.text.lower() in _KEYWORDS:
            self._mismatch(
                ["'('", *self._functions(), *(kind.value for kind in (Kind.INTEGER, Kind.DECIMAL, Kind.WORD))]
            )
        if token.text in self._dialect.functions:
            return self._function(self._take().text, begin)
        return self._metric(begin)

    def _functions(self) -> list[str]:
        return [f"'{name}'" for name in self._dialect.functions]

    def _metric(self, begin: int) -> ast.MetricNode:
        if self._next.kind is not Kind.WORD or self._next.text in (*_KEYWORDS, *self._dialect.functions):
            self._mismatch([Kind.WORD.value])
        name = self._take().text
        labels: list[Label] = []
        if self._next.text == "{":
            self._take()
            if self._next.text != "}":
                labels.append(self._label(closing=True))
                while self._dialect.free_labels and self._next.text == ",":
                    self._take()
                    labels.append(self._label())
            self._expect("}")
        return ast.MetricNode(name, tuple(labels), self._since(begin))

    def _label(self, *, closing: bool = False) -> Label:
        name = self._label_name(closing=closing)
        self._expect("=")
        if self._next.kind is not Kind.TEXT:
            self._mismatch([Kind.TEXT.value])
        return name, self._take().text[1:-1]

    def _label_name(self, *, closing: bool = False) -> str:
        known = self._next.text == "_" or (self._dialect.free_labels and self._next.kind is Kind.WORD)
        if not known:
            # The free grammar lists its token of the underscore first, then names.
            expected = ["'_'", *(["'}'"] if closing else []), *([Kind.WORD.value] if self._dialect.free_labels else [])]
            self._mismatch(expected)
        return self._take().text

    # -- functions

    def _function(self, name: str, begin: int) -> ast.Node:
        self._expect("(")
        node: ast.Node
        if name in AGGREGATIONS:
            of = self.expression()
            self._expect(")")
            return ast.Aggregate(name, of, self._since(begin))
        if name in MATHEMATICS:
            of = self.expression()
            self._expect(")")
            return ast.Mathematics(name, of, 0, self._since(begin))
        if name in ("view_as_seq", "is_present"):
            several = [self.expression()]
            while self._next.text == ",":
                self._take()
                several.append(self.expression())
            self._expect(")")
            return ast.FirstPresent(name, tuple(several), self._since(begin))
        node = self._with_parameters(name, begin)
        self._expect(")")
        return node

    def _with_parameters(self, name: str, begin: int) -> ast.Node:
        match name:
            case "round":
                of = self._first()
                return ast.Mathematics(name, of, self._integer(), self._since(begin))
            case "increase" | "rate":
                metric = self._metric(len(self._taken))
                self._expect(",")
                return ast.Trend(name, metric, self._integer(), self._since(begin))
            case "top_n":
                metric = self._metric(len(self._taken))
                self._expect(",")
                count = self._integer()
                self._expect(",")
                return ast.TopN(metric, count, self._descending(), self._since(begin))
            case "relabels":
                of, old, new = self._first(), self._label(), None
                if self._dialect.free_labels:
                    self._expect(",")
                    new = self._label()
                return ast.Relabel(of, old, new, self._since(begin))
            case "aggregate_labels":
                of = self._first()
                if self._next.text not in LABEL_FUNCTIONS:
                    self._mismatch(["'avg'", "'max'", "'min'", "'sum'"])
                function = self._take().text
                keep = self._names_in_parentheses() if self._dialect.free_labels and self._next.text == "(" else ()
                return ast.AggregateLabels(of, function, keep, self._since(begin))
            case "sort_values":
                of, limit = self._first(), None
                if self._next.kind is Kind.INTEGER:
                    limit = self._integer()
                    self._expect(",")
                return ast.SortValues(of, limit, self._descending(), self._since(begin))
            case _:  # sort_label_values
                of, descending = self._first(), self._descending()
                self._expect(",")
                return ast.SortLabels(of, descending, self._names(), self._since(begin))

    def _first(self) -> ast.Node:
        of = self.expression()
        self._expect(",")
        return of

    def _integer(self) -> int:
        if self._next.kind is not Kind.INTEGER:
            self._mismatch([Kind.INTEGER.value])
        return int(self._take().text)

    def _descending(self) -> bool:
        if self._next.text.lower() not in ("asc", "des"):
            self._mismatch(["ASC", "DES"])
        return self._take().text.lower() == "des"

    def _names_in_parentheses(self) -> tuple[str, ...]:
        self._expect("(")
        names = self._names()
        self._expect(")")
        return names

    def _names(self) -> tuple[str, ...]:
        names = [self._label_name()]
        while self._next.text == ",":
            self._take()
            names.append(self._label_name())
        return tuple(names)

    # -- tokens

    @property
    def _next(self) -> Token:
        return self._ahead[0]

    def _take(self) -> Token:
        token = self._ahead.pop(0)
        self._taken.append(token.text)
        if not self._ahead:
            self._ahead.append(self._lexer.next())
        return token

    def _since(self, begin: int) -> str:
        return "".join(self._taken[begin:])

    def _expect(self, sign: str) -> None:
        token = self._next
        if token.text == sign and token.kind is Kind.SIGN:
            self._take()
            return
        # ANTLR looks one token further: is this one too much, or is one missing?
        if token.kind is not Kind.EOF:
            self._ahead.append(self._lexer.next())
            if self._ahead[1].text == sign:
                raise token.error(f"extraneous input '{token.text}' expecting '{sign}'")
        if sign == ")" and (token.kind is Kind.EOF or token.text in (*_STRENGTH, ",", ")")):
            raise token.error(f"missing '{sign}' at '{token.text}'")
        self._mismatch([f"'{sign}'"])

    def _mismatch(self, expected: list[str]) -> NoReturn:
        listed = expected[0] if len(expected) == 1 else f"{{{', '.join(expected)}}}"
        raise self._next.error(f"mismatched input '{self._next.text}' expecting {listed}")
