"""Captions say numbers of the run that a figure is drawn from, and what its bands and bars are."""

from __future__ import annotations

import json
import re

import pytest
import xarray as xr

import figures
import simulations
from figures import _captions, _letters

from ..simulations.smoke import example

COUNTED = ("pairs", "points", "runs", "starts", "dimension", "steps", "epochs", "seed")
"""Settings that a caption says, where an experiment has them."""
NOT_SHOWN = {("confidence", "steps")}  # of SimCLR, which the smallest run leaves out


def said(result: xr.Dataset, **settings: int) -> str:
    """The caption for other settings; numbers without separators of thousands."""
    own = json.loads(result.attrs["settings"]) | settings
    text = figures.caption(
        result.attrs["experiment"], result.assign_attrs(settings=json.dumps(own))
    )
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


@pytest.mark.parametrize("name", simulations.names()[::-1])
def test_numbers_of_a_caption_are_those_of_the_settings(name: str) -> None:
    result = example(name)
    own = json.loads(result.attrs["settings"])
    known = [key for key in COUNTED if isinstance(own.get(key), int)]
    assert "seed" in known
    for number, key in enumerate(known, 8123):
        if (name, key) not in NOT_SHOWN:
            assert re.search(rf"\b{number}\b", said(result, **{key: number})), key


@pytest.mark.parametrize("name", figures.names())
def test_a_caption_is_text_in_sentences(name: str) -> None:
    if name in simulations.names():
        text = figures.caption(name, example(name))
    else:
        text = figures.caption(name)
    assert text.endswith(".")
    assert "  " not in text
    assert not re.search(r"[{}`\n]|nan|None", text)


def test_a_single_run_has_no_interval() -> None:
    assert _captions.intervals(5, "run") == "95 % intervals of means over 5 runs (Student's t)"
    assert _captions.intervals(1, "run") == "95 % intervals of means, which one run has not"
    assert [_captions.count(n, "run") for n in (1, 2, 1500)] == ["1 run", "2 runs", "1,500 runs"]
    assert _captions.listed((1, 2.5, "x")) == "1, 2.5 and x"
    assert _captions.listed([3.0]) == "3"


def test_panels_that_follow_each_other_are_named_together() -> None:
    assert [_letters.named(n, 2) for n in (1, 2, 3)] == ["(c)", "(c) and (d)", "(c) to (e)"]
    assert _letters.named(2, 25) == "(z) and (aa)"


def test_the_command_has_every_setting() -> None:
    result = xr.Dataset(
        attrs={"settings": json.dumps({"data": "a b.npz", "learning_rates": [1, 2]})}
    )
    command = _captions.command("confidence", result)
    assert command == "python -m figures confidence --data 'a b.npz' --learning-rates 1,2"
    assert _captions.command("step_change", None) == "python -m figures step_change"
