"""The page on diagnoses shows what the command prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from normtheory import cli

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "how-to" / "diagnose-embeddings.md"
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def _split(report: str) -> tuple[list[str], list[float]]:
    """The words, wherever their lines are broken, and the numbers between them."""
    numbers = [float(found.replace(",", "").lstrip("+")) for found in _NUMBER.findall(report)]
    return _NUMBER.sub("#", report).split(), numbers


def test_the_report_on_the_page_is_that_of_the_command(capsys, monkeypatch):
    shown = re.search(
        r"^```sh\n(normtheory diagnose tests/.*?)^```\n\n^```text\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.M | re.S,
    )
    assert shown
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stop:
        cli.main(shlex.split(shown[1].replace("\\\n", ""))[1:])
    assert not stop.value.code
    expected_words, expected = _split(shown[2])
    words, numbers = _split(capsys.readouterr().out)
    assert words == expected_words
    # Rounding may give one of a bucket of 48 to another neighbour: 0.02.
    assert numbers == pytest.approx(expected, rel=0.01, abs=0.03)
