"""The compiled evaluator: `expr.wasm`, which expr/build makes from expr/, as machine code.

Compiling takes about 7 s of CPU time and 200 MiB; loading machine code from disk takes milliseconds. An image build
and `make` compile once: `python -m skywalking_provider.conditions.expr.wasm_module`. A process that finds no usable
machine code compiles the module itself.

wasmtime does not check the content of machine code. It is therefore loaded only

- from the directory of the wasm file,
- under a name that contains the hash of this wasm, the version of wasmtime and the configuration,
- if only root or the current user can have written it.
"""

import hashlib
import os
import platform
import stat
import sys
from importlib.metadata import version
from pathlib import Path

import structlog
from wasmtime import Config, Engine, Module, WasmtimeError

WASM = Path(__file__).with_name("expr.wasm")

# Call stack of an instance. wasmtime's default, 512 KiB, is too small for a condition of 4 KiB of operators. Above
# 2 MiB wasmtime ends the process, because it wants the stack to fit another one of its own. Never set by a user.
_STACK_BYTES = 2 << 20
# Part of the machine code's file name: raise it whenever `_build_config` changes.
_CONFIG_NAME = "1"

_log = structlog.get_logger(__name__)


def new_engine() -> Engine:
    """Return an engine for this machine whose instances can be interrupted by epochs."""
    return Engine(_build_config())


def read_wasm(path: Path = WASM) -> bytes:
    """Read the evaluator's WebAssembly.

    Raises:
        FileNotFoundError: It was not built.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing. Run expr/build (needs Go), or install a released wheel, which contains it"
        ) from None


def machine_code_path(wasm: bytes, directory: Path = WASM.parent) -> Path:
    """Return the path of the machine code for this wasm, wasmtime, configuration and machine."""
    digest = hashlib.sha256(wasm).hexdigest()[:24]
    return directory / f"expr-{digest}-{version('wasmtime')}-{_CONFIG_NAME}-{platform.machine()}.cwasm"


def is_precompiled(wasm: bytes) -> bool:
    """Return whether `load_compiled_module` would find usable machine code."""
    try:
        _deserialize(new_engine(), machine_code_path(wasm))
    except (OSError, WasmtimeError):
        return False
    return True


def load_compiled_module(engine: Engine, wasm: bytes, path: Path | None = None) -> Module:
    """Load the module from trusted machine code, or compile it (7 s, logged) if there is none."""
    path = machine_code_path(wasm) if path is None else path
    try:
        return _deserialize(engine, path)
    except (OSError, WasmtimeError) as error:
        _log.warning(
            "compiling the condition evaluator, which takes seconds",
            reason=str(error),
            hint="run python -m skywalking_provider.conditions.expr.wasm_module once, where the package is installed",
        )
    return Module(engine, wasm)


def precompile(wasm: bytes, directory: Path = WASM.parent) -> Path:
    """Write the machine code beside the wasm, for any processor of this architecture, and return its path.

    Raises:
        OSError: The directory cannot be written.
    """
    path = machine_code_path(wasm, directory)
    config = _build_config()
    if target := _portable_target():
        config.target = target
    code = Module(Engine(config), wasm).serialize()
    # Written under a name of this process and renamed: a reader never sees half a file, and builders do not collide.
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        new.write_bytes(code)
        new.chmod(0o644)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    for old in directory.glob("expr-*.cwasm"):
        if old != path:
            old.unlink(missing_ok=True)
    return path


def precompile_if_missing() -> int:
    """Write the machine code unless it exists; return 0 if it exists afterwards."""
    try:
        wasm = read_wasm()
        if is_precompiled(wasm):
            return 0
        path = precompile(wasm)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


def _build_config() -> Config:
    config = Config()
    config.epoch_interruption = True
    config.max_wasm_stack = _STACK_BYTES
    return config


def _portable_target() -> str | None:
    """Return a target without this processor's extensions, so that an image runs on older ones; None for this machine.

    Only this machine's architecture is allowed: wasmtime ends the process for another.
    """
    is_glibc = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"
    if is_glibc and platform.machine() in ("x86_64", "aarch64"):
        return f"{platform.machine()}-unknown-linux-gnu"
    return None


def _deserialize(engine: Engine, path: Path) -> Module:
    """Load machine code that only root or the current user can have written.

    Raises:
        OSError: The file does not exist, or another user can have written it.
        WasmtimeError: It belongs to another wasmtime, configuration or processor.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            raise PermissionError(f"{path} is not a file that only root or the current user can write")
        # By the descriptor, so that the checked file is the loaded one. It is mapped, not copied.
        by_descriptor = Path(f"/proc/self/fd/{descriptor}")
        if by_descriptor.exists():
            return Module.deserialize_file(engine, str(by_descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return Module.deserialize(engine, file.read())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(precompile_if_missing())
