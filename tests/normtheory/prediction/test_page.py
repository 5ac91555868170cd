"""The page on predictions shows what the command prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from normtheory import cli

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "predict.md"


def test_the_table_on_the_page_is_that_of_the_command(capsys):
    shown = re.search(
        r"^```sh\n(normtheory predict .*?)^```\n\n^```text\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.M | re.S,
    )
    assert shown
    with pytest.raises(SystemExit) as stop:
        cli.main(shlex.split(shown[1])[1:])
    assert not stop.value.code
    assert capsys.readouterr().out == shown[2]
