"""Peak memory of one response, of each kind, in a process of its own: `python -m tests.security.response_memory`.

Each case is a fork, which prints the growth of its resident memory from before the body to the end of its processing.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from skywalking_provider.block import GraphqlSpec
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Secret, Window
from skywalking_provider.oap.api import inventory, record_responses, responses
from skywalking_provider.oap.api.response_parser import FieldParser
from skywalking_provider.oap.transport.error_mapping import error_from_graphql
from skywalking_provider.oap.transport.response_decoder import ResponseDecoder, ResponseStructure
from skywalking_provider.queries.graphql.query import decode_graphql, rewritten_query
from skywalking_provider.support import go_json
from skywalking_provider.support.redaction import Redactor
from skywalking_provider.support.worker_thread import WorkerThread

MEBIBYTE: Final = 1024 * 1024
REDACTOR: Final = Redactor(Secret("LONG&SECRET-7731"))
PARSERS: Final = {
    name: value
    for module in (responses, record_responses)
    for name, value in vars(module).items()
    if isinstance(value, FieldParser)
}
SPEC: Final = GraphqlSpec.model_validate(
    {"interval": "3m", "query": "query { f: readMetricsValues(duration: $duration) }", "compatibility": "argo"}
)

WINDOW: Final = Window(datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 24, 0, 3, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a response that holds a list, and a right item of it.

    Attributes:
        parser: Name of the parser of the field `f`; empty for the author's own query.
        prefix: Text of the field before the items.
        item: A right item.
        suffix: Text of the field after the items.
    """

    parser: str
    prefix: str
    item: str
    suffix: str


_NAME: Final = '{"name":"service_cpm"}'
_SERVICE: Final = '{"id":"YWdlbnQ=.1","name":"agent::reviews","layers":["GENERAL"],"normal":true}'
_VALUES: Final = '{"label":"0","values":{"values":['
_RESULT: Final = '{"type":"TIME_SERIES_VALUES","results":['
_ALARM: Final = '{"startTime":1,"id":"1","message":"m","scope":"Service","tags":[{"key":"level","value":"x"}]}'
_SEGMENT: Final = '{"traceIds":["1"],"endpointNames":["/a"],"duration":1,"start":"1","isError":true}'
_SPAN: Final = (
    '{"traceId":"1","serviceCode":"a","serviceInstanceName":"b","startTime":1,"endTime":2,"type":"Entry",'
    '"endpointName":"/a","isError":true}'
)
PLACES: Final = (
    Place("NAMES", "[", _NAME, "]"),
    Place("TEXTS", "[", '"MESH"', "]"),
    Place("METRICS", "[", '{"name":"service_cpm","catalog":"SERVICE"}', "]"),
    Place("SERVICES", "[", _SERVICE, "]"),
    Place("SERVICES", '[{"id":"1","name":"a","layers":[', '"MESH"', "]}]"),
    Place("INSTANCES", "[", '{"name":"a","attributes":[{"name":"pod","value":"x"}]}', "]"),
    Place("INSTANCES", '[{"name":"a","attributes":[', '{"name":"pod","value":"x"}', "]}]"),
    Place("SCHEMA_TYPE", '{"fields":[', _NAME, "]}"),
    Place("METRICS_VALUES", _VALUES, '{"value":1,"isEmptyValue":false}', "]}}"),
    Place("LABELED_METRICS_VALUES", "[", _VALUES + '{"value":1}]}}', "]"),
    Place("LABELED_METRICS_VALUES", "[" + _VALUES, '{"value":1}', "]}}]"),
    Place("EXPRESSION_RESULT", _RESULT, '{"values":[{"value":"1"}]}', "]}"),
    Place("EXPRESSION_RESULT", _RESULT + '{"values":[', '{"id":"202611241200","value":"1"}', "]}]}"),
    Place("EXPRESSION_RESULT", _RESULT + '{"values":[],"metric":{"labels":[', '{"key":"p","value":"1"}', "]}}]}"),
    Place("TIME_INFO", '{"timezone":"+0000","currentTimestamp":1,"x":[', "1", "]}"),
    Place("RANKING", "[", '{"name":"/a","value":"1"}', "]"),
    Place("ALARMS", '{"msgs":[', _ALARM, "]}"),
    Place("ALARMS", '{"msgs":[{"startTime":1,"id":"1","message":"m","tags":[', '{"key":"a","value":"b"}', "]}]}"),
    Place("TRACE_BRIEF", '{"traces":[', _SEGMENT, "]}"),
    Place("TRACE_BRIEF", '{"traces":[{"endpointNames":[],"duration":1,"start":"1","traceIds":[', '"1"', "]}]}"),
    Place("TRACE_LIST", '{"traces":[', f'{{"spans":[{_SPAN}]}}', "]}"),
    Place("TRACE_LIST", '{"traces":[{"spans":[', _SPAN, "]}]}"),
    Place("LOGS", '{"logs":[', '{"timestamp":1,"traceId":"1","endpointName":"/a","content":"x"}', "]}"),
    Place("FLAG", "[", "true", "]"),
    Place("KV_INT", '{"value":1,"x":[', "1", "]}"),
    Place("", "[", '{"values":{"values":[{"value":1}]}}', "]"),
    Place("", _VALUES, '{"value":1}', "]}}"),
    Place("", '{"results":[{"values":[', '{"id":"1","value":"1"}', "]}]}"),
)
ITEMS: Final = (
    "1",
    "null",
    "{}",
    "[]",
    '"ab"',
    '"é"',
    "1.5",
    "1e300",
    "9" * 300,
    '{"a":1}',
    '{"a":{"a":[1]}}',
    '"{n}"',
)


def bodies(limit: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, parser and body of each case: bodies of the maximum size, or with the most values that are read."""
    for at, place in enumerate(PLACES):
        for kind, item in (("right", place.item), ("wrong", "1"), ("objects", "{}")):
            prefix, suffix = f'{{"data":{{"f":{place.prefix}', f"{place.suffix}}}}}"
            yield f"{at} {place.parser or 'query'} {kind}", place.parser, repeated(prefix, item, suffix, limit)
    for item in ITEMS:
        yield f"data of {item[:12]}", "", repeated('{"data":{"f":[', item, "]}}", limit)
        yield f"errors of {item[:12]}", "", repeated('{"errors":[', item, "]}", limit)
        yield f"too many {item[:12]}", "", repeated('{"data":{"f":[', item, "]}}", limit, accepted=False)
    yield "keys", "", repeated('{"data":{', '"k{n}":1', "}}", limit)
    yield "keys of a key", "", repeated('{"data":{"f":{', '"k{n}":null', "}}}", limit)
    yield (
        "eight keys each",
        "",
        repeated('{"data":{"f":[', "{" + ",".join(f'"{key}{{n}}":1' for key in "abcdefgh") + "}", "]}}", limit),
    )
    size = limit - 64
    for name, text in {
        "a text": "x" * size,
        "a wide text": "😀" + "x" * (size - 4),
        "a text of wide characters": "中" * (size // 3),
        "a text of escapes": "\\n" * (size // 2),
        "a text of surrogates": "\\ud83d\\ude00" * (size // 12),
        "a text of control characters": "\\u0001" * (size // 6),
    }.items():
        yield name, "", f'{{"data":{{"f":"{text}"}}}}'.encode()
        yield f"{name} as error", "", f'{{"errors":[{{"message":"{text}"}}]}}'.encode()
        yield f"{name} as key", "", f'{{"data":{{"{text}":1}}}}'.encode()
        yield f"{name} as layer", "TEXTS", f'{{"data":{{"f":["{text}",1]}}}}'.encode()
    for name, text in {"digits": "1" * size, "a fraction": "0." + "1" * size, "an exponent": "1e" + "1" * size}.items():
        yield name, "", f'{{"data":{{"f":{text}}}}}'.encode()
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        depth = size // (len(opened) + len(closed))
        yield f"{opened} {depth} deep", "", f'{{"data":{{"f":{opened * depth}1{closed * depth}}}}}'.encode()


def repeated(prefix: str, item: str, suffix: str, limit: int, *, accepted: bool = True) -> bytes:
    """Return a response with as many items as fit into the limits of size and, if it is to be accepted, of memory."""
    sample = ",".join(item.replace("{n}", str(number)) for number in range(100_000, 101_000)).encode()
    count = 1000 * limit // len(sample)
    if accepted:
        # From the estimate of a thousand items; the size of the text counts twice.
        count = min(
            count, 1000 * (8 * limit + 11 * MEBIBYTE) // (ResponseStructure.count(sample).memory + 2 * len(sample))
        )
    count = max(1, count * 99 // 100)
    return (prefix + ",".join(item.replace("{n}", str(100_000 + at)) for at in range(count)) + suffix).encode()[:limit]


def process(parser: str, body: bytes, limit: int) -> str:
    """Process a response as the service does, and return the outcome."""
    try:
        response = ResponseDecoder("prod", limit, WorkerThread("decode"), REDACTOR).decode_now(bytearray(body))
        if response.get("errors"):
            return str(error_from_graphql(response["errors"], "prod", REDACTOR))[:60]
        data = response["data"]
        if not parser:
            sample = decode_graphql(SPEC, rewritten_query(SPEC, nullable=False), WINDOW, data)
            return f"{len(go_json.dump_interruptibly(sample.result))} bytes"
        if parser == "SERVICES":
            return f"{len(inventory.parse_services(data))} services"
        return f"parsed {type(PARSERS[parser].parse(data, 'f')).__name__}"
    except (ProviderError, ValueError) as error:
        return str(error)[:60]


def measure_growth(function: Callable[[], str]) -> tuple[float, str]:
    """Return the growth of the peak of this process's resident memory in MiB, and the outcome of a function."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident_mib("VmRSS")
    outcome = function()
    return _resident_mib("VmHWM") - before, outcome


def main(limit: int) -> None:
    """Print one JSON line for each case."""
    sys.setswitchinterval(1)
    for name, parser, body in bodies(limit):
        sys.stdout.flush()
        child = os.fork()
        if not child:
            growth, outcome = measure_growth(lambda parser=parser, body=body: process(parser, body, limit))
            _print_row(name, growth, outcome)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            _print_row(name, float("inf"), f"exit status {status}")


def _print_row(name: str, mib: float, outcome: str) -> None:
    print(json.dumps({"name": name, "mib": mib, "outcome": outcome}), flush=True)  # noqa: T201


def _resident_mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def measure_responses(limit: int) -> dict[str, float]:
    """Return the growth in MiB of each case, measured in a process of its own.

    Args:
        limit: `maxAnswerBytes`.
    """
    arguments = [sys.executable, "-m", "tests.security.response_memory", str(limit)]
    output = subprocess.run(arguments, cwd=Path(__file__).parents[2], check=True, stdout=subprocess.PIPE).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    return {f"{row['name']}: {row['outcome']}": row["mib"] for row in rows}


if __name__ == "__main__":
    main(int(sys.argv[1]))
