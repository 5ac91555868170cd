"""The page: measured solid, predicted dashed, nothing from elsewhere, hostile text harmless."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from normtheory import Monitor, __version__
from normtheory.monitoring import _report

Z = np.random.default_rng(5).standard_normal((20, 4))


@pytest.fixture(scope="module")
def monitor() -> Monitor:
    found = Monitor(optimizer="adamw", weight_decay=0.1, every=2, encoder=False)
    for step in range(4):
        z = Z * 1.3**step + 0.1 * step
        labels = ["<script>alert(1)</script>", "$x"] * 10
        found.update(
            z, step=step, loss=1.0 / (step + 1), learning_rate=0.1, labels=labels, probe=z, scale=2
        )
    return found


@pytest.fixture
def axes(monitor, monkeypatch) -> dict[str, Axes]:
    """What is drawn, by title."""
    found: dict[str, Axes] = {}

    def keep(title, draw, alternative):
        found[title] = Figure().add_subplot()
        draw(found[title])
        return ""

    monkeypatch.setattr(_report, "_figure", keep)
    _report.page(monitor.dataset, ())
    return found


def test_measured_is_solid_and_predicted_dashed(monitor, axes):
    data = monitor.dataset
    lines = {line.get_label(): line for line in axes["Norms"].lines}
    assert {str(name): line.get_linestyle() for name, line in lines.items()} == {
        "median": "-",
        "equilibrium norm": "--",
        "norm that D and s lead to": "--",
    }
    np.testing.assert_array_equal(lines["median"].get_ydata(), data["norm"].sel(percentile=50))
    predicted = lines["equilibrium norm"].get_ydata()
    np.testing.assert_array_equal(predicted, data["predicted_norm"])
    turns = {str(line.get_label()): line for line in axes["How fast directions turn"].lines}
    assert turns["turn in a step"].get_linestyle() == "-"
    assert turns["turn in a step at equilibrium"].get_linestyle() == "--"
    # A line joins the steps that have a number.
    np.testing.assert_array_equal(turns["turn in a step"].get_xdata(), [1, 2, 3])
    assert turns["turn in a step"].get_color() == turns["turn in a step at equilibrium"].get_color()


def test_classes_are_drawn_beside_their_names(monitor, axes):
    drawn, last = axes["Norms by class"], monitor.dataset["class_norm"].isel(step=-1)
    heights = [text.xy[1] for text in drawn.texts]
    assert heights == sorted(heights, reverse=True)
    for line, text in zip(drawn.lines, drawn.texts, strict=True):
        label = next(x for x in last["label"].values if x.startswith(text.get_text()[:3]))
        assert np.asarray(line.get_ydata())[-1] == float(last.sel(label=label))
        assert line.get_color() == text.get_color()
    ends = [np.asarray(line.get_ydata())[-1] for line in drawn.lines]
    assert ends == sorted(ends, reverse=True)


def test_the_page_is_whole_and_says_the_alarms(monitor, tmp_path):
    path = tmp_path / "page.html"
    monitor.report(path)
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.endswith("</html>\n")
    assert "4 looks from step 0 to 3, adamw" in page
    assert "<script" not in page
    places = re.findall(r"(?:src|href)=\"(?!data:)#?([^\"]*)", page)
    assert "claim-radial_drift" in places
    assert all(f'id="{place}"' in page for place in places)
    assert f"{date.today()} · normtheory {__version__}" in page
    assert page.index("To do:") < page.index('<p class="warning">') < page.index("<img")
    assert len(monitor.alarms) == page.count('<p class="warning">') >= 1
    assert monitor.alarms[0][1:40] in page
    # A record's last number, and the one predicted beside it.
    last = monitor.records[-1]
    cells = f'{last["norm_50"]:.4g}</td><td class="value">{last["predicted_norm"]:.4g}</td>'
    assert cells in page


def test_a_page_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^report: expected an update before it"):
        Monitor().report(tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_one_look_at_rows_of_no_use_has_a_page_too(tmp_path):
    monitor = Monitor()
    with pytest.warns(RuntimeWarning, match="z row 0 and 19 more rows at step 0: zero"):
        monitor.update(0 * Z, step=0)
    monitor.report(tmp_path / "page.html")
    assert "20 rows were of no use" in (tmp_path / "page.html").read_text(encoding="utf-8")
