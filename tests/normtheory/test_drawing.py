"""The style of a picture is ours, the fonts for what it lacks are the user's."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure

from normtheory._drawing import style

from ..helpers import HOSTILE

OURS = {"font.family": "DejaVu Sans", "font.size": 9}


def test_settings_are_ours_inside_and_the_users_again_outside() -> None:
    with rc_context(HOSTILE):
        before = dict(rcParams)
        with style(OURS):
            assert rcParams["font.size"] == 9
            assert rcParams["text.usetex"] is False
            assert rcParams["axes.facecolor"] == "white"
        assert dict(rcParams) == before


@pytest.mark.parametrize(
    ("chosen", "families"),
    [
        ({"font.family": ["serif"], "font.serif": ["No Such Font", "DejaVu Serif"]}, ["Serif"]),
        ({"font.family": ["DejaVu Sans Mono", "No Such Font"]}, ["Sans Mono"]),
        ({"font.family": ["DejaVu Sans"]}, []),
    ],
)
def test_the_fonts_of_the_user_come_second(chosen: dict[Any, Any], families: list[str]):
    with rc_context(chosen), style(OURS):
        assert rcParams["font.family"] == ["DejaVu Sans", *(f"DejaVu {x}" for x in families)]


def test_a_sign_that_no_font_has_is_no_warning() -> None:
    with style(OURS):
        figure = Figure()
        figure.text(0.5, 0.5, "猫")
        figure.savefig(io.BytesIO(), format="svg")  # warnings are errors here


def test_what_matplotlib_refuses_to_start_with_is_passed_over(tmp_path: Path) -> None:
    """A backend that there is not, and settings that are not UTF-8 wherever they are found."""
    (tmp_path / "matplotlibrc").write_bytes(b"font.size: 30  # caf\xe9\n")
    (tmp_path / "stylelib").mkdir()
    (tmp_path / "stylelib" / "mine.mplstyle").write_bytes(b"font.size: 30  # caf\xe9\n")
    program = (
        "from normtheory import _drawing; import matplotlib.style, os;"
        "print(os.environ['MPLBACKEND'], matplotlib.rcParams['font.size'], os.getcwd())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ
        | {"MPLBACKEND": "nonsense", "MPLCONFIGDIR": str(tmp_path)}
        | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"nonsense 10.0 {tmp_path}\n"
    assert "Traceback" not in said.stderr
