"""The compiled evaluator: machine code is loaded only if no other user can have written it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from wasmtime import Module

from skywalking_provider.conditions.expr import wasm_module

# The smallest module: these tests are about files.
_WASM = b"\0asm\1\0\0\0"


def test_trusted_machine_code_is_loaded_without_a_warning(tmp_path: Path) -> None:
    path = wasm_module.precompile(_WASM, tmp_path)
    assert path.stat().st_mode & 0o777 == 0o644
    with capture_logs() as logs:
        assert isinstance(wasm_module.load_compiled_module(wasm_module.new_engine(), _WASM, path), Module)
    assert not logs


@pytest.mark.parametrize("defect", ["missing", "garbage", "writable", "link", "directory"])
def test_untrusted_machine_code_is_ignored_and_the_module_is_compiled_with_a_warning(
    tmp_path: Path, defect: str
) -> None:
    path = wasm_module.precompile(_WASM, tmp_path)
    match defect:
        case "missing":
            path.unlink()
        case "garbage":
            path.write_bytes(b"\x7fELF and so on")
        case "writable":
            path.chmod(0o666)
        case "link":
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
        case "directory":
            path.unlink()
            path.mkdir()
    with capture_logs() as logs:
        assert isinstance(wasm_module.load_compiled_module(wasm_module.new_engine(), _WASM, path), Module)
    assert len(logs) == 1
    assert "conditions.expr.wasm_module" in logs[0]["hint"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_machine_code_of_another_user_is_not_loaded(tmp_path: Path) -> None:
    path = wasm_module.precompile(_WASM, tmp_path)
    os.chown(path, 65534, 65534)
    with capture_logs() as logs:
        wasm_module.load_compiled_module(wasm_module.new_engine(), _WASM, path)
    assert "only root or the current user" in logs[0]["reason"]


def test_precompile_of_another_wasm_removes_the_old_machine_code(tmp_path: Path) -> None:
    old = wasm_module.precompile(_WASM, tmp_path)
    new = wasm_module.precompile(_WASM + b"\0\2\1x", tmp_path)
    assert old != new
    assert list(tmp_path.iterdir()) == [new]


def test_missing_wasm_is_an_error_that_names_the_build_script(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expr/build"):
        wasm_module.read_wasm(tmp_path / "expr.wasm")


def test_command_writes_machine_code_that_the_service_loads() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "skywalking_provider.conditions.expr.wasm_module"],
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert wasm_module.is_precompiled(wasm_module.read_wasm())


def test_new_process_evaluates_its_first_condition_without_compiling_the_module() -> None:
    code = """
import asyncio, time
from skywalking_provider.conditions import open_expr_evaluator
async def main():
    async with open_expr_evaluator() as conditions:
        return (await conditions.evaluate("result > 1", "", b"2", timeout=60)).phase
print(asyncio.run(main()), time.process_time())
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    phase, seconds = done.stdout.decode().split()
    assert phase == "Successful"
    # 0.25 s of CPU with machine code; 7 s without.
    assert float(seconds) < 2, f"{seconds} s of CPU, {time.monotonic() - began:.1f} s in all"
