"""Admission of measurements: the calls in progress and their bytes are bounded, in total and for each namespace."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from skywalking_provider.errors import BackendUnavailableError, FailureKind

MAX_CALLS: Final = 4096
"""Calls in progress; one takes some 15 KiB beside its request, 60 MiB in total."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the requests of these calls. A decoded request takes about four times its bytes, 64 MiB in total."""


class _Usage:
    """Calls in progress of one namespace and the bytes of their requests."""

    __slots__ = ("calls", "size")

    def __init__(self) -> None:
        self.calls = 0
        self.size = 0


class Admission:
    """Limit of the calls in progress.

    A namespace may hold as much as is free, so that alone it holds half of each limit, and something is left for the
    next namespace. These limits are known as dynamic thresholds.

    Args:
        max_calls: Calls in progress.
        max_bytes: Bytes of their requests.
    """

    def __init__(self, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        # State: what is free, and what each namespace with calls in progress holds.
        self._free_calls = max_calls
        self._free_bytes = max_bytes
        self._usage: defaultdict[str, _Usage] = defaultdict(_Usage)

    def __repr__(self) -> str:
        calls = sum(usage.calls for usage in self._usage.values())
        return f"<Admission: {calls} calls of {len(self._usage)} namespaces, {self._free_bytes} bytes free>"

    @contextmanager
    def admit(self, namespace: str, size: int) -> Iterator[None]:
        """Hold a call of a namespace while the context is open.

        Args:
            namespace: Namespace of the call.
            size: Bytes of its request.

        Raises:
            BackendUnavailableError: PROVIDER_OVERLOADED: the namespace holds its share.
        """
        usage = self._usage[namespace]
        try:
            if usage.calls >= self._free_calls:
                raise _overload_error(namespace, f"{usage.calls} of its calls are in progress")
            if usage.size + size > self._free_bytes:
                raise _overload_error(
                    namespace, f"the requests of its {usage.calls} calls in progress have {usage.size // 1024} KiB"
                )
            usage.calls += 1
            usage.size += size
            self._free_calls -= 1
            self._free_bytes -= size
            try:
                yield
            finally:
                usage.calls -= 1
                usage.size -= size
                self._free_calls += 1
                self._free_bytes += size
        finally:
            if not usage.calls:
                self._usage.pop(namespace, None)


def _overload_error(namespace: str, detail: str) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"call limit of namespace {namespace} reached: {detail}",
        "Measure less often, or start fewer analyses of this namespace at once",
        kind=FailureKind.OVERLOADED,
    )
