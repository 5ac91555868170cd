"""Results of experiments go to a folder of their own, never to the clone's."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulations import _store


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that results are kept in during this test."""
    folder = tmp_path / "results"
    monkeypatch.setattr(_store, "RESULTS", folder)
    return folder
