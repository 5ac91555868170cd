"""The page of predictions: its cells are errors of what was said, and its sentences follow them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import figures
from figures import _predicted
from figures import predicted as figure
from figures.__main__ import main
from figures._predicted_text import HEAD, TEXT
from simulations import predicted

NAMES = ["SGD", "heavy ball", "Adam + L2", "AdamW", "Lion"]
TRAININGS = list(predicted.TRAININGS.values())
KEYS = [f"{name}{kind}" for name in _predicted.ROWS for kind in ("", "_numbers", "_slope")]
NAME = r"(?<!\{)\{\w+\}(?!\})"  # in a text, of a number
OF_TRAINING = ("loss", "alignment", "floor", "floor_aligned", "floor_drawn", "implied", "pull")


@pytest.fixture
def result() -> xr.Dataset:
    """Random numbers in the shape of the experiment's."""
    rng, settings = np.random.default_rng(0), predicted.Settings()
    subjects = [f"{t}: {part}" for t in TRAININGS for part in predicted.subjects(settings, t)]
    one, other = ("optimizer", "subject"), ("optimizer", "training")
    found = {k: (one, rng.uniform(1, 2, (5, len(subjects)))) for k in [*KEYS, "slope", "apart"]}
    found |= {k: (other, rng.uniform(1, 2, (5, 6))) for k in OF_TRAINING}
    coords = {"optimizer": NAMES, "subject": subjects, "training": TRAININGS}
    attrs = {"lag": settings.lag, "settings": json.dumps(dataclasses.asdict(settings))}
    return xr.Dataset(found, coords, attrs)


def cells(page: str) -> dict[tuple[str, str], list[str]]:
    """What turns, and the quantity -> a cell for every optimizer."""
    found, subject = {}, ""
    for line in re.findall(r"^\| (.*) \|$", page, re.MULTILINE):
        first, quantity, *of_line = (
            # Spaces inside of a cell's brackets don't break.
            cell.strip().replace("\u00a0", " ")
            for cell in line.split("|")
        )
        subject = first or subject
        found[subject, quantity] = of_line
    return found


def errors(cell: str) -> list[float]:
    """What stands in brackets, as shares."""
    inside = cell[cell.index("(") + 1 : cell.index(")")].split(", ")
    return [np.nan if one == "none" else float(one) / 100 for one in inside]


def test_errors_are_in_per_cent_of_what_was_said() -> None:
    assert _predicted.error(1.0123, 1.0) == "+1.2"
    assert _predicted.error(0.5, 1.0) == "-50"
    assert _predicted.error(10.0, 1.0) == "+900"
    assert _predicted.error(1.0, 1.0 + 1e-9) == "+0.0"
    assert _predicted.error(1.0996, 1.0) == "+10"
    assert _predicted.error(1.0, np.nan) == "none"
    assert _predicted.error(5.0, 0.0) == "0 said"


def test_ranges_are_from_the_least_to_the_greatest() -> None:
    assert _predicted.span([0.02, -0.0712, np.nan]) == "-7.1 to +2.0 %"
    assert _predicted.span([0.5, -0.07, np.inf]) == "-7 to +50 %"
    assert _predicted.span([0.5]) == "+50 %"
    assert _predicted.span([0.034, 12.3], percent=False) == "0.034 to 12"


def test_every_number_of_the_result_has_its_cell(result: xr.Dataset) -> None:
    first, last = TRAININGS[0], f"{TRAININGS[-1]}: layer 3"
    result.norm.loc["AdamW", last] = 1.5
    result.norm_slope.loc["AdamW", last] = 1.0
    result.norm_numbers.loc["AdamW", last] = np.nan
    result.steps.loc["Lion", f"{first}: embeddings"] = np.nan
    result.loss.loc["SGD", TRAININGS[1]] = 0.3
    result.floor.loc["SGD", TRAININGS[1]] = 0.2
    result.floor_aligned.loc["SGD", TRAININGS[1]] = 0.6
    result.floor_drawn.loc["SGD", TRAININGS[1]] = 0.3
    result.norm.loc["SGD", f"{TRAININGS[2]}: embeddings"] = 3.0
    result.implied.loc["SGD", TRAININGS[2]] = 2.0
    found = cells(_predicted.table(result))
    assert found.pop(("", ""))  # the header
    # Four rows for each of twelve things that turn, two more for each of six trainings.
    assert len(found) - 1 == 12 * 4 + 6 * 2
    assert found[last, "norm"][3] == "1.5 (none, +50)"
    assert found[first, "steps to equilibrium"][4] == "not reached"
    assert found[TRAININGS[1], "loss"][0] == "0.3 (+50, -50, +0.0)"
    assert found[first, "loss"][0].split(", ")[1] == "none"  # NT-Xent's
    assert found[TRAININGS[2], "norm by D and s"][0] == "+50"
    turn = result.turn.sel(optimizer="Lion", subject=last)
    said = result.turn_numbers.sel(optimizer="Lion", subject=last)
    assert errors(found[last, "turn in a step"][4])[0] == pytest.approx(
        float(turn / said - 1), abs=0.01
    )


def _pattern(text: str) -> re.Pattern[str]:
    """Of a text with numbers, or ranges of them, in the place of names; spaces are all alike."""
    parts = re.split(NAME, " ".join(text.split()))
    number = r"[-+]?[\d.e]+(?: to [-+]?[\d.e]+)?(?: %)?"
    plain = (re.escape(part.replace("{{", "{").replace("}}", "}")) for part in parts)
    return re.compile(f"({number})".join(plain))


def _holds(page: str) -> None:
    """Raise unless sentences are those of the writer and their numbers those of the table."""
    flat = " ".join(page.split())
    sentences = _pattern(TEXT).search(flat)
    assert sentences
    names = [name.strip("{}") for name in re.findall(NAME, TEXT)]
    said = dict(zip(names, sentences.groups(), strict=True))
    found = cells(page)

    def off(quantity: str, where: str, *optimizers: str, which: int = 1) -> list[float]:
        chosen = [of for (what, q), of in found.items() if q == quantity and where in what]
        return [errors(of[NAMES.index(name)])[which] for of in chosen for name in optimizers]

    balls = ("SGD", "heavy ball")
    for name, values in {
        "free_norm_balls": off("norm", "free", *balls),
        "free_norm_numbers": off("norm", "free", *balls, "Adam + L2", which=0),
        "free_turn_lion": off("turn in a step", "free", "Lion"),
        "free_lag": off("turn in 100 steps", "free", *NAMES),
        "weights_norm_sgd": off("norm", "layer", "SGD"),
        "weights_norm_l2": off("norm", "layer", "Adam + L2"),
        "encoder_norm": off("norm", "encoder: embeddings", *NAMES),
        "loss_stay": off("loss", "partners stay", *NAMES, which=0),
        "loss_drawn": off("loss", "partners stay", *NAMES, which=2),
    }.items():
        ends = [float(x) / 100 for x in re.findall(r"[-+][\d.]+", said[name])]
        assert [min(ends), max(ends)] == pytest.approx([min(values), max(values)], abs=0.0051)


def test_sentences_have_the_numbers_of_the_table(result: xr.Dataset) -> None:
    page = _predicted.page(result)
    assert "{" not in page.replace("{func}", "").replace("{class}", "")
    _holds(page)


def test_the_page_is_what_the_command_writes(root: Path, result: xr.Dataset) -> None:
    """What stands in the pages, as far as that can be known here."""
    page = (root / "docs" / "predicted.md").read_text()
    _holds(page)
    ours, found = cells(_predicted.table(result)), cells(page)
    assert list(found) == list(ours)
    assert found["", ""] == NAMES
    head = HEAD.format(**_predicted.numbers(result))  # of the settings alone
    assert page.startswith(head)


def test_the_command_writes_the_page(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    result: xr.Dataset,
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(figures, "result", lambda *a, **k: asked.append((a, k)) or result)
    path = tmp_path / "page.md"
    assert main(["--predicted", str(path), "--force"]) == 0
    assert asked == [(("predicted",), {"force": True})]
    assert capsys.readouterr().out == f"written to {path}\n"
    assert path.read_text() == _predicted.page(result)
    assert main(["--predicted", str(tmp_path / "no" / "page.md")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_the_picture_shows_errors_in_per_cent(result: xr.Dataset) -> None:
    axes: Any = figures.draw(figure, result).axes
    for panel, quantity in zip(axes, figure.PANELS, strict=True):
        marks = [line for line in panel.lines if len(line.get_xdata()) == 12]
        for k, name in enumerate(NAMES):
            one = result.sel(optimizer=name)
            for line, kind in zip(marks[2 * k : 2 * k + 2], ("numbers", "slope"), strict=True):
                shown = 100 * (one[quantity] / one[f"{quantity}_{kind}"] - 1)
                np.testing.assert_allclose(line.get_xdata(), shown)
                assert (line.get_markerfacecolor() == "none") == (kind == "numbers")
    subjects = [text.get_text().replace("\n", " ") for text in axes[0].get_yticklabels()]
    assert subjects == result.subject.values.tolist()


def test_rows_are_norms_and_turns(result: xr.Dataset) -> None:
    rows = figure.rows(result)
    assert len(rows) == 12 * 5 * 2
    last = result.sel(subject=result.subject[-1], optimizer="Lion")
    assert rows[-1].quantity == "turn in a step, Lion, CLIP, encoder: layer 3"
    assert (rows[-1].predicted, rows[-1].simulated) == (float(last.turn_slope), float(last.turn))
    assert rows[-2].simulated == float(last.norm)
