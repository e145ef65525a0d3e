"""The compiled evaluator: `expr.wasm` (made from expr/ by expr/build) as machine code.

Compiling takes about 7 s of CPU and 200 MiB; loading machine code from disk takes milliseconds. An image, and `make`,
compile once (`python -m skywalking_provider.conditions.expr.precompile`). A process that finds no usable machine code
compiles the module itself. Machine code is loaded without a check of its content. So it is loaded only from the
directory of the wasm file, only under a name that belongs to this wasm, wasmtime and configuration, and only where no
other user can have written it.
"""

import hashlib
import os
import platform
import stat
from importlib.metadata import version
from pathlib import Path

import structlog
from wasmtime import Config, Engine, Module, WasmtimeError

WASM = Path(__file__).with_name("expr.wasm")

# The guest's call stack. The default, 512 KiB, is too small for a condition of 4 KiB of operators; above 2 MiB wasmtime
# ends the process (it wants the stack to fit another one of its own). Never from a user's configuration.
_STACK_BYTES = 2 << 20
# Part of the name of the machine code: raise it whenever `_config` changes.
_CONFIG_NAME = "1"

_log = structlog.get_logger(__name__)


def new_engine() -> Engine:
    """An engine for this machine, able to stop its guests by the clock."""
    return Engine(_build_config())


def read_wasm(path: Path = WASM) -> bytes:
    """The evaluator as WebAssembly.

    Raises:
        FileNotFoundError: It was not built.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing: expr/build makes it (Go), and a released wheel contains it"
        ) from None


def machine_code_path(wasm: bytes, directory: Path = WASM.parent) -> Path:
    """Where the machine code of this wasm is, for this wasmtime, configuration and machine."""
    digest = hashlib.sha256(wasm).hexdigest()[:24]
    return directory / f"expr-{digest}-{version('wasmtime')}-{_CONFIG_NAME}-{platform.machine()}.cwasm"


def is_precompiled(wasm: bytes) -> bool:
    """Whether `load` would find machine code it can use."""
    try:
        _deserialize(new_engine(), machine_code_path(wasm))
    except (OSError, WasmtimeError):
        return False
    return True


def load_compiled_module(engine: Engine, wasm: bytes, path: Path | None = None) -> Module:
    """The module, from machine code if there is some to be trusted, else compiled now (7 s; logged)."""
    path = machine_code_path(wasm) if path is None else path
    try:
        return _deserialize(engine, path)
    except (OSError, WasmtimeError) as why:
        _log.warning(
            "compiling the condition language, which takes seconds",
            reason=str(why),
            hint="run python -m skywalking_provider.conditions.expr.precompile once, where the package is installed",
        )
    return Module(engine, wasm)


def precompile(wasm: bytes, directory: Path = WASM.parent) -> Path:
    """Write the machine code beside the wasm, for any processor of this architecture.

    Raises:
        OSError: The directory cannot be written.
    """
    path = machine_code_path(wasm, directory)
    config = _build_config()
    if target := _portable_target():
        config.target = target
    code = Module(Engine(config), wasm).serialize()
    # A name of its own and a rename: nobody ever loads half a file, and two builders do not meet.
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


def _build_config() -> Config:
    config = Config()
    config.epoch_interruption = True
    config.max_wasm_stack = _STACK_BYTES
    return config


def _portable_target() -> str | None:
    """The target that leaves out this processor's extras, so that an image runs on older ones; None: this machine.

    Only ever this machine's own architecture: wasmtime ends the process for another.
    """
    is_glibc = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"
    if is_glibc and platform.machine() in ("x86_64", "aarch64"):
        return f"{platform.machine()}-unknown-linux-gnu"
    return None


def _deserialize(engine: Engine, path: Path) -> Module:
    """Load machine code that only root or this user can have written.

    Raises:
        OSError: There is none, or somebody else can have written it.
        WasmtimeError: It is of another wasmtime, configuration or processor.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            raise PermissionError(f"{path} is not a file that only root or this user can write")
        # By the descriptor, so that what was looked at is what is loaded (and mapped, not copied).
        by_descriptor = Path(f"/proc/self/fd/{descriptor}")
        if by_descriptor.exists():
            return Module.deserialize_file(engine, str(by_descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return Module.deserialize(engine, file.read())
    finally:
        os.close(descriptor)
