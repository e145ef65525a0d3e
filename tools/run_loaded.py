"""Command runner beside CPU-bound processes: `run_loaded.py COUNT COMMAND...`.

It shows which tests depend on the speed of the machine. The load ends with the command, also when the command fails or
this program is killed: each process checks that its parent still exists.
"""

import multiprocessing
import os
import subprocess
import sys

_ITERATIONS = 1_000_000  # between two checks of the parent: about 20 ms


def main(arguments: list[str]) -> int:
    """Run the command beside the load and return its exit code."""
    count, *command = arguments
    processes = [
        multiprocessing.Process(target=_use_cpu, args=(os.getpid(),), daemon=True, name=f"load-{number}")
        for number in range(int(count))
    ]
    try:
        for process in processes:
            process.start()
        return subprocess.run(command, check=False).returncode
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()


def _use_cpu(parent: int) -> None:
    while os.getppid() == parent:
        for _ in range(_ITERATIONS):
            pass


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
