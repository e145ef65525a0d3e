"""Direct calls of WASM functions through wasmtime's C interface.

`wasmtime.Func` looks up a function's type and converts every argument by it, at each call. A small condition costs a
third less without that (docs/adr/0013). The price is the use of private names, so the package is pinned to one major
version. Source: https://docs.wasmtime.dev/c-api/ (wasmtime_func_call).
"""

import ctypes

from wasmtime import Func, Store, Trap, ValType, WasmtimeError
from wasmtime import _ffi as c


class WasmFunction:
    """A function with 32-bit integer parameters and at most one result, an integer of 32 or 64 bits."""

    def __init__(self, store: Store, function: Func) -> None:
        kind = function.type(store)
        i32, i64 = ValType.i32(), ValType.i64()
        if any(one != i32 for one in kind.params) or kind.results not in ([], [i32], [i64]):
            raise WasmtimeError("expr.wasm exports a function with an unsupported signature")
        self._store = store
        self._function = function._func  # noqa: SLF001 - the C interface takes this struct
        self._arguments = (c.wasmtime_val_t * len(kind.params))()
        for argument in self._arguments:
            argument.kind = c.WASMTIME_I32
        self._results = (c.wasmtime_val_t * len(kind.results))()
        self._returns_i64 = kind.results == [i64]

    def __call__(self, *arguments: int) -> int:
        """Call the function; return 0 if it has no result.

        Raises:
            Trap: The call was interrupted or failed.
            WasmtimeError: The call could not be made.
        """
        for value, argument in zip(self._arguments, arguments, strict=True):
            value.of.i32 = argument
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
            raise WasmtimeError._from_ptr(error)  # noqa: SLF001 - takes ownership of the pointer
        if trap:
            raise Trap._from_ptr(trap)  # noqa: SLF001
        if not self._results:
            return 0
        result = self._results[0].of
        return int(result.i64 if self._returns_i64 else result.i32)
