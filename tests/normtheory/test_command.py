"""How every command ends: its output is out or said to be lost, its errors are one line."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from normtheory._command import Parser, say, status_of

FULL = Path("/dev/full")


def refuse(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def full(name: str) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", name)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (refuse(SystemExit(2)), 2, ""),
        (refuse(SystemExit()), 0, ""),
        (refuse(KeyboardInterrupt()), 130, "told: stopped\n"),
        (lambda: 130, 130, "told: stopped\n"),
        (refuse(full("a\nb")), 1, "told: a\\nb: No space left on device\n"),
        (refuse(PermissionError("x: may not be")), 1, "told: x: may not be\n"),
        (refuse(MemoryError()), 1, "told: expected what fits into the memory of this machine\n"),
        (lambda: os.stat(300 * "x"), 2, f"told: {133 * 'x'}…{66 * 'x'}: File name too long\n"),
    ],
)
def test_the_status_says_how_it_ended(
    capsys: pytest.CaptureFixture[str], body: Callable[[], int | None], status: int, said: str
) -> None:
    assert status_of("told", body, "stopped") == status
    assert capsys.readouterr() == ("", said)


def test_an_error_of_usage_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="python -m told")
    assert status_of("told", lambda: parser.parse_args(["--\x1b[1m"])) == 2
    assert capsys.readouterr() == ("", "told: unrecognized arguments: --\\x1b[1m\n")


def test_another_error_is_a_defect_and_shows_where() -> None:
    with pytest.raises(ZeroDivisionError):
        status_of("told", lambda: 1 // 0)


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("end", [None, SystemExit(0), "help"], ids=["returns", "exits", "help"])
def test_output_that_is_lost_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, end: object
) -> None:
    def body() -> None:
        if end == "help":
            Parser(prog="python -m told").parse_args(["--help"])
        sys.stdout.write("kept back until the end")
        if isinstance(end, SystemExit):
            raise end

    # Nothing is kept back of the help, as with PYTHONUNBUFFERED.
    raw = FULL.open("wb", 0)
    with (
        raw,
        io.TextIOWrapper(raw, write_through=True) if end == "help" else FULL.open("w") as stream,
    ):
        monkeypatch.setattr(sys, "stdout", stream)
        assert status_of("told", body) == 1
    assert capsys.readouterr().err == "told: No space left on device\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_signs_that_an_encoding_lacks_are_replaced(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)

    def body() -> None:
        sys.stdout.write("ρ of a café")
        say("told", "no ρ\n")

    assert status_of("told", body) == 0
    assert out.buffer.getvalue() == "ρ of a café".encode(encoding, "replace")  # pyright: ignore
    err.flush()
    assert err.buffer.getvalue().strip() == b"told: no ?\\n"  # pyright: ignore


def test_without_streams_there_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert status_of("told", lambda: say("told", "to nobody")) == 0
    sys.stdout.close()
    sys.stderr.close()


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_message_that_nobody_can_read_changes_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = FULL.open("wb", 0)
    with raw, io.TextIOWrapper(raw, write_through=True) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert status_of("told", refuse(full("x"))) == 1
        stream.close()
        assert status_of("told", refuse(full("x"))) == 1
    sys.stderr.close()
