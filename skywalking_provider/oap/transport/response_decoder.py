"""Decoder of responses: from the bytes of an OAP to JSON, with bounds on memory and on the time of each step."""

import sys
from dataclasses import dataclass
from typing import Any, Final

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.response_data import ResponseData
from skywalking_provider.support import go_json
from skywalking_provider.support.redaction import Redactor
from skywalking_provider.support.worker_thread import WorkerThread

# Bytes of objects of CPython 3.11, measured. The estimate of a real response is 1.2 to 2 times what it takes.
_OBJECT_BYTES: Final = 240
_LIST_BYTES: Final = 88
_ITEM_BYTES: Final = 72  # a short text or number, and its slot in the list
_FIELD_BYTES: Final = 40  # a key of its own; keys that objects share take none
_WIDE_FIELD_BYTES: Final = 240  # in an object of many fields: the key, and its slots while the object is built
_FEW_FIELDS: Final = 8

_BASE_BYTES: Final = 12 * 1024 * 1024
_MEMORY_FACTOR: Final = 8

_MAX_UNINTERRUPTED_VALUES: Final = 16 * 1024  # take 5 ms in one call of C, 30 ms in Python


@dataclass(frozen=True, slots=True)
class ResponseStructure:
    """Numbers of the characters that make the structure of a JSON text. Those within texts count, too.

    Attributes:
        lists: Number of `[`.
        objects: Number of `{`.
        fields: Number of `:`.
        items: Number of `,`.
    """

    lists: int
    objects: int
    fields: int
    items: int

    @classmethod
    def count(cls, body: bytes | bytearray) -> "ResponseStructure":
        """Count the characters of a text."""
        return cls(body.count(b"["), body.count(b"{"), body.count(b":"), body.count(b","))

    @property
    def values(self) -> int:
        """Number of values at most."""
        return self.lists + self.objects + self.items + 1

    @property
    def memory(self) -> int:
        """Memory of the decoded values in bytes, apart from the characters of their texts."""
        wide_fields = max(0, self.fields - _FEW_FIELDS * self.objects)
        return (
            self.objects * _OBJECT_BYTES
            + self.lists * _LIST_BYTES
            + self.items * _ITEM_BYTES
            + self.fields * _FIELD_BYTES
            + wide_fields * _WIDE_FIELD_BYTES
        )


class ResponseDecoder:
    """Decoder of one backend's responses.

    Args:
        backend: Name of the backend, for messages.
        max_answer_bytes: Maximum size of one response.
        worker: Thread that decodes large responses.
        redactor: Removes the credentials that the OAP repeats from the data.
    """

    def __init__(self, backend: str, max_answer_bytes: int, worker: WorkerThread, redactor: Redactor) -> None:
        self._backend = backend
        self._max_memory = _MEMORY_FACTOR * max_answer_bytes + _BASE_BYTES
        self._worker = worker
        self._redactor = redactor

    async def decode(self, body: bytearray) -> dict[str, Any]:
        """Decode a response of the form that the GraphQL specification defines.

        Args:
            body: The response in UTF-8, whatever its headers declare. It is cleared, so that it takes no memory.

        Raises:
            ProviderError: OAP_RESPONSE_INVALID: the response has too many values.
            ValueError: The response is not GraphQL.
        """
        return await self._worker.run(len(body), self.decode_now, body)

    def decode_now(self, body: bytearray) -> dict[str, Any]:
        """Decode a response as `decode` does, in the calling thread."""
        structure = ResponseStructure.count(body)
        has_secrets = self._redactor.is_in_response(body)
        text = body.decode("utf-8")
        body.clear()
        # The characters are counted twice: as the text, and as the texts in it.
        memory = structure.memory + 2 * sys.getsizeof(text)
        if memory > self._max_memory:
            raise self._too_many_values_error(structure, memory)
        size = len(text)
        interruptible = structure.values > _MAX_UNINTERRUPTED_VALUES
        response = go_json.load_interruptibly(text) if interruptible else go_json.load(text)
        if isinstance(response, dict) and ("data" in response or "errors" in response):
            data, errors = response.get("data"), response.get("errors")
            if isinstance(data, dict | None) and isinstance(errors, list | None):
                if data is not None:
                    if has_secrets:
                        self._redactor.redact_data(data)
                    response["data"] = ResponseData.from_data(data, size)
                return response
        raise ValueError("the response is not GraphQL")

    def _too_many_values_error(self, structure: ResponseStructure, memory: int) -> ProviderError:
        return ProviderError(
            Reason.OAP_RESPONSE_INVALID,
            f"backend {self._backend}: response has too many values: {structure.values:,} take {memory >> 20} MiB,"
            f" limit {self._max_memory >> 20} MiB (from maxAnswerBytes)",
            "Request less: a shorter interval or fewer fields",
        )
