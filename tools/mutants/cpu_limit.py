"""pytest plugin that limits the CPU time of a mutant. mutmut's own limit is one of the wall clock.

The limit follows the CPU time that the tests take without a mutant, so the load of the machine does not matter. mutmut
runs them in the process from which it forks those of the mutants, so the environment passes the time on.
"""

import math
import os
import resource
import time

import pytest

MUTANT = "MUTANT_UNDER_TEST"  # set by mutmut; empty for the run without a mutant
CLEAN_SECONDS = "MUTANTS_CLEAN_SECONDS"
MAX_CLEAN_SECONDS = 8.0
FACTOR, CONSTANT = 5.0, 3.0  # a failed test also formats its error, which may take longer than the test

_STARTED_AT = pytest.StashKey[float]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Set the limit in the process of a mutant. The kernel ends it with SIGKILL, and mutmut's limit with SIGXCPU."""
    session.config.stash[_STARTED_AT] = time.process_time()
    if "__mutmut_" in os.environ.get(MUTANT, ""):
        limit = math.ceil(time.process_time() + CONSTANT + FACTOR * float(os.environ[CLEAN_SECONDS]))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep the CPU time of the tests without a mutant, and fail tests that are too slow for mutation testing."""
    if os.environ.get(MUTANT) == "":
        seconds = time.process_time() - session.config.stash[_STARTED_AT]
        os.environ[CLEAN_SECONDS] = str(seconds)
        if seconds > MAX_CLEAN_SECONDS:
            print(f"The tests use {seconds:.1f} s of CPU time: limit {MAX_CLEAN_SECONDS:.0f} s. Select quicker tests.")
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
