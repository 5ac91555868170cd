"""Files that are written whole: what others may do with them, and what stays of a failed one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from normtheory._files import whole_file


@pytest.fixture(params=[0o022, 0o077], ids=["usual umask", "private umask"])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("before", [None, 0o600, 0o666])
def test_a_written_file_is_its_owners_to_write_and_everybodys_to_read(
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
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


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
