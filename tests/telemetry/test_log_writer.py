"""Writer of log lines: order, bound, lost lines and their report, and outputs that block or fail."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.telemetry.log_writer import LogWriter

WAIT_SECONDS = 60  # bounds a failure


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    with suppress(OSError):
        os.close(reader)  # the other end stays open: the thread of the writer lives as long as the process


def read_until(reader: int, text: bytes) -> bytes:
    output = b""
    while text not in output:
        output += os.read(reader, 65536)
    return output


def write_lines(writer: LogWriter, numbers: range) -> None:
    for number in numbers:
        writer.write(f"line {number} {'x' * 100}\n")


def test_lines_keep_their_order(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as file:
        writer = LogWriter(file.fileno())
        write_lines(writer, range(5000))

        assert writer.drain(WAIT_SECONDS)
        numbers = [int(line.split()[1]) for line in (tmp_path / "log").read_text().splitlines()]

    assert numbers == list(range(5000))
    assert writer.lost_lines == 0


def test_lines_of_several_threads_are_not_mixed(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as file:
        writer = LogWriter(file.fileno())
        threads = [threading.Thread(target=write_lines, args=(writer, range(500))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert writer.drain(WAIT_SECONDS)

        lines = (tmp_path / "log").read_text().splitlines()

    assert sorted(lines) == sorted(4 * [f"line {number} {'x' * 100}" for number in range(500)])


def test_output_that_is_not_read_loses_the_newest_lines_and_reports_them_in_their_place(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    os.write(descriptor, b"x" * 4095 + b"\n")  # the pipe is full
    writer = LogWriter(descriptor, max_bytes=20_000)

    write_lines(writer, range(1))
    while writer._queue:  # until the thread waits for the pipe
        time.sleep(0.01)
    write_lines(writer, range(1, 1000))
    assert not writer.drain(0.1)
    lost = writer.lost_lines
    output = read_until(reader, b"lost\n")
    writer.write("after\n")
    output += read_until(reader, b"after\n")

    lines = output.decode().splitlines()
    kept = [line for line in lines if line.startswith("line ")]
    assert lines[1:] == [*kept, f"{lost} log lines lost", "after"]
    assert 0 < lost == 1000 - len(kept)
    assert [int(line.split()[1]) for line in kept] == list(range(len(kept)))


def test_many_short_texts_are_bounded(pipe: tuple[int, int]) -> None:
    _, descriptor = pipe
    writer = LogWriter(descriptor, max_bytes=20_000)

    for _ in range(10_000):
        writer.write("\n")

    assert writer.lost_lines > 5000


def test_line_above_the_bound_is_lost_and_reported(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = LogWriter(descriptor, max_bytes=1000)

    writer.write("x" * 2000 + "\n")

    assert read_until(reader, b"lost\n") == b"1 log lines lost\n"


@pytest.mark.parametrize("failure", ["no output", "full", "reader gone", "closed"])
def test_output_that_fails_counts_the_lines_and_raises_nothing(pipe: tuple[int, int], failure: str) -> None:
    reader, descriptor = pipe
    if failure == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
    elif failure == "reader gone":
        os.close(reader)
    elif failure == "closed":
        descriptor = 10_000
    writer = LogWriter(None if failure == "no output" else descriptor)

    write_lines(writer, range(100))

    assert writer.drain(WAIT_SECONDS)
    assert writer.lost_lines == 100


def test_output_that_works_again_reports_the_lost_lines_without_a_further_line(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    working = os.dup(descriptor)
    os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
    writer = LogWriter(descriptor)
    write_lines(writer, range(3))
    assert writer.drain(WAIT_SECONDS)

    os.dup2(working, descriptor)

    assert read_until(reader, b"lost\n") == b"3 log lines lost\n"


def test_output_that_another_process_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    os.set_blocking(descriptor, False)
    writer = LogWriter(descriptor)

    write_lines(writer, range(1000))
    writer.write("end\n")
    output = read_until(reader, b"end\n")

    assert output.count(b"\n") == 1001
    assert writer.lost_lines == 0


@pytest.mark.parametrize("text", ["\ud800\n", "\x00\n", "é\n"])
def test_text_that_cannot_be_encoded_raises_nothing(pipe: tuple[int, int], text: str) -> None:
    reader, descriptor = pipe

    LogWriter(descriptor).write(text)

    assert read_until(reader, b"\n") == text.encode("utf-8", "backslashreplace")


def test_report_that_cannot_be_rendered_does_not_end_the_log(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = LogWriter(descriptor, max_bytes=1000)
    failing: Callable[..., Any] = {}.__getitem__
    writer.render_loss = failing

    writer.write("x" * 2000 + "\n")
    assert read_until(reader, b"lost\n") == b"1 log lines lost\n"
    writer.write("after\n")

    assert read_until(reader, b"after\n") == b"after\n"


def test_finalizer_that_logs_during_a_write_does_not_deadlock(pipe: tuple[int, int]) -> None:
    reader, descriptor = pipe
    writer = LogWriter(descriptor)

    with writer._lock:  # a finalizer runs in the thread that it interrupts
        writer.write("inner\n")

    assert read_until(reader, b"inner\n") == b"inner\n"
