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

from skywalking_provider.mock_oap.java_format import JavaError
from skywalking_provider.mock_oap.versions import OapVersion

Json = dict[str, Any]


def build_error(
    message: str, classification: str, line_column: tuple[int, int] | None = None, path: Any = None
) -> Json:
    """One error of a GraphQL answer."""
    found: Json = {"message": message}
    if line_column is not None:
        found["locations"] = [{"line": line_column[0], "column": line_column[1]}]
    if path is not None:
        found["path"] = path
    return found | {"extensions": {"classification": classification}}


def token_error(token: Token, oap_version: OapVersion) -> Json:
    """The refusal of a text with too many tokens."""
    if oap_version.legacy_syntax_messages:
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
    return build_error(message, "InvalidSyntax", (token.line, token.column))


def syntax_error(graphql_error: GraphQLSyntaxError, oap_version: OapVersion) -> Json:
    """A text that is no GraphQL."""
    start = "Invalid Syntax :" if oap_version.legacy_syntax_messages else "Invalid syntax with"
    body = graphql_error.source.body if graphql_error.source else ""
    position = next(iter(graphql_error.positions or [0]))
    at = get_location(Source(body), position)
    what = _offending(body, position)
    message = f"{start} offending token '{what}' at line {at.line} column {at.column}"
    return build_error(message, "InvalidSyntax", (at.line, at.column))


def _offending(body: str, position: int) -> str:
    try:
        token = Lexer(Source(body[position:])).advance()
    except GraphQLSyntaxError:
        return body[position : position + 1]
    return "<EOF>" if token.kind is TokenKind.EOF else body[position : position + token.end - token.start]


def introspection_limit_error(field: str) -> Json:
    """The refusal of a request that walks the schema in a cycle, or twice."""
    message = f"This request is not asking for introspection in good faith - {field} is present too often!"
    return build_error(message, "BadFaithIntrospection")


def fetch_error(graphql_error: GraphQLError, oap_version: OapVersion) -> Json:
    """A field whose read failed."""
    cause = graphql_error.original_error
    if isinstance(cause, JavaError):
        named = oap_version.causes_name_their_class and cause.java_class
        message = f"{cause.java_class}: {cause.message}" if named else cause.message
    else:
        message = str(cause or graphql_error.message)
    path = "/".join(str(part) for part in graphql_error.path or ())
    return build_error(
        f"Exception while fetching data (/{path}) : {message}",
        "DataFetchingException",
        _location(graphql_error),
        graphql_error.path,
    )


def validation_errors(schema: GraphQLSchema, document: DocumentNode, oap_version: OapVersion) -> list[Json]:
    """What is wrong with a well-formed document; empty if nothing."""
    if not validate(schema, document):
        return []
    paths = _paths(document)
    return [
        _validation_error(rule, wrong, paths, oap_version)
        for rule in specified_rules
        for wrong in validate(schema, document, [rule])
    ]


def _validation_error(
    rule: type[ASTValidationRule], graphql_error: GraphQLError, paths: dict[int, str], oap_version: OapVersion
) -> Json:
    kind, text = _KINDS.get(rule.__name__, (rule.__name__.removesuffix("Rule"), "{message}"))
    if rule.__name__ == "ScalarLeafsRule" and "must not have" in graphql_error.message:
        kind, text = "SubselectionNotAllowed", "Subselection not allowed on leaf type '{1}' of field '{0}'"
    if oap_version.legacy_validation_messages:
        text = _OLD_TEXTS.get(kind, text)
    quoted = [part.lstrip("$") for part in re.findall(r"'([^']*)'", graphql_error.message)] + ["", "", ""]
    if rule.__name__ == "ProvidedRequiredArgumentsRule":
        quoted[0] = re.sub(r".*\((\w+):\)", r"\1", quoted[0])
    text = text.format(*quoted, message=graphql_error.message)
    # graphql-java points at a variable's use, graphql-core names its definition first.
    index = -1 if rule is VariablesInAllowedPositionRule else 0
    node = graphql_error.nodes[index] if graphql_error.nodes else None
    path = paths.get(id(node), "")
    if oap_version.legacy_validation_messages:
        message = f"Validation error of type {kind}: {text}" + (f" @ '{path}'" if path else "")
    else:
        message = f"Validation error ({kind}@[{path}]) : {text}" if path else f"Validation error ({kind}) : {text}"
    return build_error(message, "ValidationError", _location(graphql_error, index))


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


def _location(graphql_error: GraphQLError, index: int = 0) -> tuple[int, int] | None:
    if not graphql_error.locations:
        return None
    at = graphql_error.locations[index]
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
