"""The list of errors fits the code: each can be planted, and its tests are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.errors import areas, errors


@pytest.mark.parametrize("area", areas())
def test_every_error_can_be_planted(area: str, root: Path) -> None:
    for error in errors(area):
        text = (root / error.file).read_text()
        planted = error.planted(text)
        assert planted != text
        compile(planted, error.file, "exec")
        assert error.tests
        for path in error.tests:
            assert (root / path.partition("::")[0]).exists(), (error.what, path)


def test_there_are_enough_and_none_stands_twice() -> None:
    everything = [error for area in areas() for error in errors(area)]
    assert len(everything) >= 150
    assert len({(e.file, e.old, e.new) for e in everything}) == len(everything)
