"""Independence of the process: replicas compute the same evidence, with the standard library only."""

import ast
import subprocess
import sys
from pathlib import Path

from skywalking_provider import judgement

REPLICA = """
from tests.judgement.golden import LOOKS, prepare_look
for look in LOOKS:
    prepared = prepare_look(look)
    for minute in prepared.minutes:
        print(prepared.judge.add(minute), prepared.judge.evidence)
"""


def test_replicas_compute_the_same_evidence_to_the_last_byte() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", REPLICA],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1
    assert printed.pop().count(b"Evidence(") > 30


def test_judgement_imports_the_standard_library_only() -> None:
    modules = list(Path(judgement.__file__).parent.glob("*.py"))
    imported = {
        name.split(".")[0]
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("skywalking_provider.judgement")
            else []
        )
    }

    assert len(modules) > 4
    assert imported <= sys.stdlib_module_names
