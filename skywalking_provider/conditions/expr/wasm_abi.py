"""What a module exports, used through wasmtime's own C interface.

`wasmtime.Func` asks for its type and converts by it at each call, and `wasmtime.Memory` makes a type of ctypes for each
length that is written: together more than half of what a small condition cost. Here a function's numbers have their
places once.
Source: https://docs.wasmtime.dev/c-api/ (wasmtime_func_call); the package is held to one major version.
"""

import ctypes

from wasmtime import Func, Memory, Store, Trap, ValType, WasmtimeError
from wasmtime import _ffi as c


class WasmFunction:
    """A function of numbers of 32 bits that gives at most one, of 32 or 64."""

    def __init__(self, store: Store, function: Func) -> None:
        kind = function.type(store)
        small, wide = ValType.i32(), ValType.i64()
        if any(one != small for one in kind.params) or kind.results not in ([], [small], [wide]):
            raise WasmtimeError("expr.wasm exports a function of another form")
        self._store = store
        self._function = function._func  # noqa: SLF001 - as the C interface takes it
        self._arguments = (c.wasmtime_val_t * len(kind.params))()
        for argument in self._arguments:
            argument.kind = c.WASMTIME_I32
        self._results = (c.wasmtime_val_t * len(kind.results))()
        self._returns_i64 = kind.results == [wide]

    def __call__(self, *arguments: int) -> int:
        """Call it; without a result it gives 0.

        Raises:
            Trap: The call was ended.
            WasmtimeError: It could not be made.
        """
        for place, argument in zip(self._arguments, arguments, strict=True):
            place.of.i32 = argument
        trap = ctypes.POINTER(c.wasm_trap_t)()
        error = c.wasmtime_func_call(
            self._store._context(),  # noqa: SLF001
            ctypes.byref(self._function),
            self._arguments,
            len(self._arguments),
            self._results,
            len(self._results),
            ctypes.byref(trap),
        )
        if error:
            raise WasmtimeError._from_ptr(error)  # noqa: SLF001 - takes it over
        if trap:
            raise Trap._from_ptr(trap)  # noqa: SLF001
        if not self._results:
            return 0
        number = self._results[0].of
        return int(number.i64 if self._returns_i64 else number.i32)


class WasmMemory:
    """A memory."""

    def __init__(self, store: Store, memory: Memory) -> None:
        self._store = store
        self._memory = memory

    def __len__(self) -> int:
        return self._memory.data_len(self._store)

    def write(self, content: bytes, address: int) -> None:
        """Put bytes at an address.

        Raises:
            IndexError: They would reach beyond the end.
        """
        ctypes.memmove(self._pointer(address, len(content)), content, len(content))

    def read(self, address: int, length: int) -> bytes:
        """Copy bytes from an address.

        Raises:
            IndexError: They would reach beyond the end.
        """
        return ctypes.string_at(self._pointer(address, length), length)

    def _pointer(self, address: int, length: int) -> int:
        if not 0 <= address <= address + length <= len(self):
            raise IndexError(f"{length} bytes at {address} of a memory of {len(self)}")
        return ctypes.addressof(self._memory.data_ptr(self._store).contents) + address  # it moves when it grows
