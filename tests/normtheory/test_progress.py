"""Progress bars, whatever has become of standard error."""

import io
import sys

import numpy as np
import pytest

from normtheory import diagnose
from normtheory._progress import bar
from normtheory.particles import System, forces, init, run


class _Terminal(io.StringIO):
    def isatty(self):
        return True


class _Broken(_Terminal):
    def write(self, _):
        raise OSError("nobody reads this any more")

    def flush(self):
        raise OSError("nobody reads this any more")


def _closed():
    stream = _Terminal()
    stream.close()
    return stream


class _BrokenLater(_Terminal):
    def write(self, text):
        if self.getvalue():
            raise OSError("nobody reads this any more")
        return super().write(text)


STREAMS = {
    "none": lambda: None,
    "closed": _closed,
    "broken": _Broken,
    "broken later": _BrokenLater,
    "no stream": object,
}
CLOUDS = np.random.default_rng(0).standard_normal((2, 6, 3))


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("show", [None, True])
def test_a_bar_never_costs_the_result(monkeypatch, stream, show):
    monkeypatch.setattr(sys, "stderr", STREAMS[stream]())
    with bar(3, "row", show=show, mininterval=0, desc="rows") as shown:
        for _ in range(3):
            shown.update()
    assert list(bar(3, "row", show=show, iterable=range(3))) == [0, 1, 2]


@pytest.mark.parametrize("stream", STREAMS)
def test_the_library_goes_on_without_standard_error(monkeypatch, stream):
    expected = diagnose(CLOUDS[0]).norms.mean
    monkeypatch.setattr(sys, "stderr", STREAMS[stream]())
    assert diagnose(CLOUDS[0], progress=True).norms.mean == expected
    system = System(forces.attraction(), 1.0)
    assert run(system, init(system, *CLOUDS), 1, progress=True).steps == 1


def test_a_bar_is_shown_on_a_terminal_and_where_asked_for(monkeypatch):
    said = {}
    for kind, show in ((_Terminal, None), (io.StringIO, True), (io.StringIO, None)):
        stream = kind()
        monkeypatch.setattr(sys, "stderr", stream)
        with bar(2, "row", show=show) as shown:
            shown.update(2)
        said[kind, show] = "2/2" in stream.getvalue()
    assert said == {(_Terminal, None): True, (io.StringIO, True): True, (io.StringIO, None): False}


def test_what_is_written_meanwhile_clears_the_bar_first(monkeypatch):
    stream = _Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with bar(2, "row") as shown:
        drawn = len(stream.getvalue())
        shown.write("a line", file=stream)
    assert stream.getvalue()[drawn:].split("a line")[0].strip() == ""
    assert stream.getvalue()[drawn:].startswith("\r")
