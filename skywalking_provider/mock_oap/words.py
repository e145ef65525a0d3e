"""GraphQL errors in the words of graphql-java, the library that OAP answers with.

What was recorded is equal to the letter: FieldUndefined, VariableTypeMismatch, syntax and token errors. The other
validation errors follow graphql-java's message file; of wrong literals only the kind is kept.
"""

import re
from typing import Any, Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    Lexer,
    Node,
    Source,
    Token,
    TokenKind,
    VariablesInAllowedPositionRule,
    Visitor,
    get_location,
    specified_rules,
    validate,
    visit,
)

from skywalking_provider.mock_oap.dialect import Dialect
from skywalking_provider.mock_oap.java import JavaError

Json = dict[str, Any]


def error(message: str, classification: str, line_column: tuple[int, int] | None = None, path: Any = None) -> Json:
    """One error of a GraphQL answer."""
    found: Json = {"message": message}
    if line_column is not None:
        found["locations"] = [{"line": line_column[0], "column": line_column[1]}]
    if path is not None:
        found["path"] = path
    return found | {"extensions": {"classification": classification}}


def token_error(token: Token, dialect: Dialect) -> Json:
    """The refusal of a text with too many tokens."""
    if dialect.old_token_words:
        message = (
            "Invalid Syntax : More than 15000 parse tokens have been presented. To prevent Denial Of Service attacks, "
            f"parsing has been cancelled. offending token '{token.value or token.kind.value}' "
            f"at line {token.line} column {token.column}"
        )
    else:
        message = (
            "More than 15,000 'grammar' tokens have been presented. "
            "To prevent Denial Of Service attacks, parsing has been cancelled."
        )
    return error(message, "InvalidSyntax", (token.line, token.column))


def syntax_error(wrong: GraphQLSyntaxError, dialect: Dialect) -> Json:
    """A text that is no GraphQL."""
    start = "Invalid Syntax :" if dialect.old_token_words else "Invalid syntax with"
    body = wrong.source.body if wrong.source else ""
    position = next(iter(wrong.positions or [0]))
    at = get_location(Source(body), position)
    what = _offending(body, position)
    message = f"{start} offending token '{what}' at line {at.line} column {at.column}"
    return error(message, "InvalidSyntax", (at.line, at.column))


def _offending(body: str, position: int) -> str:
    try:
        token = Lexer(Source(body[position:])).advance()
    except GraphQLSyntaxError:
        return body[position : position + 1]
    return "<EOF>" if token.kind is TokenKind.EOF else body[position : position + token.end - token.start]


def bad_faith(field: str) -> Json:
    """The refusal of a request that walks the schema in a cycle, or twice."""
    message = f"This request is not asking for introspection in good faith - {field} is present too often!"
    return error(message, "BadFaithIntrospection")


def fetch_error(failed: GraphQLError, dialect: Dialect) -> Json:
    """A field whose read failed."""
    cause = failed.original_error
    if isinstance(cause, JavaError):
        named = dialect.causes_name_their_class and cause.java_class
        message = f"{cause.java_class}: {cause.message}" if named else cause.message
    else:
        message = str(cause or failed.message)
    path = "/".join(str(part) for part in failed.path or ())
    return error(
        f"Exception while fetching data (/{path}) : {message}", "DataFetchingException", _where(failed), failed.path
    )


def validation_errors(schema: GraphQLSchema, document: DocumentNode, dialect: Dialect) -> list[Json]:
    """What is wrong with a well-formed document; empty if nothing."""
    if not validate(schema, document):
        return []
    paths = _paths(document)
    return [
        _validation_error(rule, wrong, paths, dialect)
        for rule in specified_rules
        for wrong in validate(schema, document, [rule])
    ]


def _validation_error(
    rule: type[ASTValidationRule], wrong: GraphQLError, paths: dict[int, str], dialect: Dialect
) -> Json:
    kind, text = _KINDS.get(rule.__name__, (rule.__name__.removesuffix("Rule"), "{message}"))
    if rule.__name__ == "ScalarLeafsRule" and "must not have" in wrong.message:
        kind, text = "SubselectionNotAllowed", "Subselection not allowed on leaf type '{1}' of field '{0}'"
    if dialect.old_validation_words:
        text = _OLD_TEXTS.get(kind, text)
    quoted = [part.lstrip("$") for part in re.findall(r"'([^']*)'", wrong.message)] + ["", "", ""]
    if rule.__name__ == "ProvidedRequiredArgumentsRule":
        quoted[0] = re.sub(r".*\((\w+):\)", r"\1", quoted[0])
    text = text.format(*quoted, message=wrong.message)
    # graphql-java points at a variable's use, graphql-core names its definition first.
    index = -1 if rule is VariablesInAllowedPositionRule else 0
    node = wrong.nodes[index] if wrong.nodes else None
    path = paths.get(id(node), "")
    if dialect.old_validation_words:
        message = f"Validation error of type {kind}: {text}" + (f" @ '{path}'" if path else "")
    else:
        message = f"Validation error ({kind}@[{path}]) : {text}" if path else f"Validation error ({kind}) : {text}"
    return error(message, "ValidationError", _where(wrong, index))


# rule of graphql-core: kind in graphql-java, its words; the numbers are the quoted words of graphql-core's message
_KINDS: Final = {
    "FieldsOnCorrectTypeRule": ("FieldUndefined", "Field '{0}' in type '{1}' is undefined"),
    "ScalarLeafsRule": ("SubselectionRequired", "Subselection required for type '{1}' of field '{0}'"),
    "KnownArgumentNamesRule": ("UnknownArgument", "Unknown field argument '{0}'"),
    "ProvidedRequiredArgumentsRule": ("MissingFieldArgument", "Missing field argument '{0}'"),
    "NoUndefinedVariablesRule": ("UndefinedVariable", "Undefined variable '{0}'"),
    "NoUnusedVariablesRule": ("UnusedVariable", "Unused variable '{0}'"),
    "KnownTypeNamesRule": ("UnknownType", "Unknown type '{0}'"),
    "KnownFragmentNamesRule": ("UndefinedFragment", "Undefined fragment '{0}'"),
    "NoUnusedFragmentsRule": ("UnusedFragment", "Unused fragment '{0}'"),
    "NoFragmentCyclesRule": ("FragmentCycle", "Fragment cycles not allowed"),
    "KnownDirectivesRule": ("UnknownDirective", "Unknown directive '{0}'"),
    "VariablesInAllowedPositionRule": (
        "VariableTypeMismatch",
        "Variable type '{1}' does not match expected type '{2}'",
    ),
    "ValuesOfCorrectTypeRule": ("WrongType", "{message}"),
}

_OLD_TEXTS: Final = {
    "SubselectionRequired": "Sub selection required for type {1} of field {0}",
    "SubselectionNotAllowed": "Sub selection not allowed on leaf type {1} of field {0}",
    "UnknownArgument": "Unknown field argument {0}",
    "MissingFieldArgument": "Missing field argument {0}",
    "UndefinedVariable": "Undefined variable {0}",
    "UnusedVariable": "Unused variable {0}",
    "UnknownType": "Unknown type {0}",
    "UndefinedFragment": "Undefined fragment {0}",
    "UnusedFragment": "Unused fragment {0}",
    "UnknownDirective": "Unknown directive {0}",
    "VariableTypeMismatch": "Variable type '{1}' doesn't match expected type '{2}'",
}


def _where(wrong: GraphQLError, index: int = 0) -> tuple[int, int] | None:
    if not wrong.locations:
        return None
    at = wrong.locations[index]
    return at.line, at.column


def _paths(document: DocumentNode) -> dict[int, str]:
    """Where each node is, by the names of the fields around it (not their aliases)."""
    paths: dict[int, str] = {}

    class Walk(Visitor):
        def __init__(self) -> None:
            super().__init__()
            self.fields: list[str] = []

        def enter(self, node: Node, *_: Any) -> None:
            if isinstance(node, FieldNode):
                self.fields.append(node.name.value)
            paths[id(node)] = "/".join(self.fields)

        def leave(self, node: Node, *_: Any) -> None:
            if isinstance(node, FieldNode):
                self.fields.pop()

    visit(document, Walk())
    return paths
