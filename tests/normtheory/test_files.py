"""Files that are written whole: what others may do with them, and what stays of a failed one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from normtheory._files import refuse_input, whole_file


@pytest.fixture(params=[0o022, 0o077], ids=["usual umask", "private umask"])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("before", [None, 0o600, 0o664])
def test_a_file_has_the_mode_it_had_or_that_of_the_umask(
    tmp_path: Path, umask: int, before: int | None
) -> None:
    path = tmp_path / "report.html"
    if before is not None:
        path.write_text("of an earlier run")
        path.chmod(before)
    with whole_file(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".html"
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    wanted = 0o666 & ~umask if before is None else before
    assert stat.S_IMODE(path.stat().st_mode) == wanted
    assert list(tmp_path.iterdir()) == [path]


def test_links_stay_links_and_twins_stay_twins(tmp_path: Path) -> None:
    real, link, twin = (tmp_path / name for name in ("real.txt", "link.txt", "twin.txt"))
    real.write_text("before")
    link.symlink_to(real)
    with whole_file(link) as temporary:
        temporary.write_text("first")
    assert link.is_symlink()
    assert real.read_text() == "first"
    os.link(real, twin)
    with whole_file(real) as temporary:
        temporary.write_text("second")
    assert twin.read_text() == "second"
    assert twin.samefile(real)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.txt", "real.txt", "twin.txt"]


def test_what_is_no_regular_file_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(pipe) as temporary:
        temporary.write_text("whole")
    assert os.read(reader, 100) == b"whole"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_names_as_long_as_the_system_allows_are_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 250 + ".nc")
    with whole_file(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


@pytest.mark.parametrize("refused", ["fsync", "chmod"])
def test_what_a_file_system_cannot_do_costs_no_result(
    tmp_path: Path, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")

    def no(*_: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(os, refused, no)
    with whole_file(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_an_input_is_known_under_every_name(tmp_path: Path) -> None:
    data, link, other = (tmp_path / name for name in ("a.npy", "b.npy", "c.npy"))
    data.write_text("data")
    link.symlink_to(data)
    for output in (data, link):
        with pytest.raises(ValueError, match="is the file that labels is read from"):
            refuse_input(output, {"nothing": None, "labels": data})
    refuse_input(other, {"labels": data})
    other.write_text("data")
    refuse_input(other, {"labels": data})


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, OSError, ValueError])
def test_what_fails_half_way_leaves_the_file_of_before_and_nothing_else(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "run.nc"
    path.write_text("of an earlier run")

    def half() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("ha")
            raise interruption

    with pytest.raises(interruption):
        half()
    assert path.read_text() == "of an earlier run"
    assert list(tmp_path.iterdir()) == [path]
