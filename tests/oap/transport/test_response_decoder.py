"""Decoded responses: which ones are accepted, and what they cost."""

import asyncio
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.inventory import parse_services
from skywalking_provider.oap.transport.response_decoder import ResponseDecoder, ResponseStructure
from skywalking_provider.support import go_json
from skywalking_provider.support.redaction import Redactor
from skywalking_provider.support.worker_thread import INLINE_SIZE, WorkerThread
from tests.cpu_time import measure_cpu_time

LIMIT = 4 * 1024 * 1024

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def decoder(limit: int = LIMIT) -> ResponseDecoder:
    return ResponseDecoder("prod", limit, WorkerThread("test"), Redactor())


def decode(text: str, limit: int = LIMIT) -> dict[str, Any]:
    return decoder(limit).decode_now(bytearray(text.encode("utf-8")))


@given(json_values)
def test_interruptible_decoder_and_encoder_agree_with_those_of_c(value: Any) -> None:
    text = json.dumps(value)

    assert go_json.load_interruptibly(text) == go_json.load(text)
    assert go_json.dump_interruptibly(value) == go_json.dump(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1,",
        "1٢",
        "1.٢",
        "1e٢",
        "-",
        "01",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "1" * 400,
        '"\n"',
        "{1:2}",
        "[" * 9999,
    ],
)
def test_interruptible_decoder_rejects_what_that_of_c_rejects(text: str) -> None:
    for load in (go_json.load, go_json.load_interruptibly):
        with pytest.raises(ValueError):  # noqa: PT011 - the texts differ
            load(text)


def test_minus_zero_stays_a_float() -> None:
    assert repr(go_json.load_interruptibly("[-0,0]")) == "[-0.0, 0]"


@pytest.mark.parametrize(
    "text", ["[]", "1", '"data"', "{}", '{"data":1}', '{"errors":{}}', '{"data":[]}', "\ufeff{}", ""]
)
def test_response_of_another_form_is_not_graphql(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several kinds
        decode(text)


def test_body_is_cleared_so_that_it_takes_no_memory() -> None:
    body = bytearray(b'{"data":{"a":1}}')

    assert decoder().decode_now(body) == {"data": {"a": 1}}
    assert not body


def test_inventory_of_40000_services_is_accepted() -> None:
    service = '{{"id":"i{0}","name":"agent::checkout-service-{0}.team-red","layers":["GENERAL"],"normal":true}}'
    body = f'{{"data":{{"services":[{",".join(service.format(number) for number in range(40_000))}]}}}}'
    assert len(body) < LIMIT

    assert len(parse_services(decode(body)["data"])) == 40_000


@pytest.mark.parametrize("unit", ["1", "{}", "[]", '{"a":1}', '"a"'])
def test_response_of_too_many_values_is_rejected_with_a_hint(unit: str) -> None:
    body = f'{{"data":{{"a":[{",".join([unit] * (LIMIT // (len(unit) + 1) - 10))}]}}}}'

    with pytest.raises(
        ProviderError, match=r"response has too many values: .* MiB \(from maxAnswerBytes\). Request l"
    ) as e:
        decode(body)

    assert e.value.reason is Reason.OAP_RESPONSE_INVALID


def test_structure_counts_each_kind_of_value() -> None:
    structure = ResponseStructure.count(b'{"data":{"a":[1,2,{"b":null}]}}')

    assert (structure.objects, structure.lists, structure.fields, structure.items) == (3, 1, 3, 2)


@pytest.mark.parametrize(("size", "in_loop_thread"), [(INLINE_SIZE // 2, True), (2 * INLINE_SIZE, False)])
async def test_worker_runs_only_large_inputs_in_its_thread(size: int, in_loop_thread: bool) -> None:
    worker = WorkerThread("test")

    thread = await worker.run(size, threading.get_ident)
    worker.close()

    assert (thread == threading.get_ident()) is in_loop_thread


async def test_event_loop_runs_while_a_large_response_is_decoded() -> None:
    """A decoder in C would be one call. The order of events decides, not time."""
    body = bytearray(f'{{"data":{{"a":[{",".join(["1.5"] * 400_000)}]}}}}'.encode())
    decoding = asyncio.create_task(decoder().decode(body))
    turns = 0
    with measure_cpu_time() as used:
        while not decoding.done():
            await asyncio.sleep(0.001)
            turns += 1

    assert len((await decoding)["data"]["a"]) == 400_000
    assert turns > 3
    assert used.seconds < 1
