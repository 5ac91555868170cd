"""What the pictures of the page show: the numbers of the report, each at its place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

import normtheory as nt
from normtheory.diagnosis import _report
from tests.normtheory.diagnosis.data import clusters, embeddings


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[nt.Diagnosis], dict[str, Axes]]:
    """Gives the axes of all pictures of a report, by the name of their section."""

    def axes_of(report: nt.Diagnosis) -> dict[str, Axes]:
        found: dict[str, Axes] = {}
        for name, figure in _report._FIGURES.items():

            def keep(draw, alternative, height=2.6, *, name=name):
                found[name] = Figure().add_subplot()
                draw(found[name])
                return ""

            monkeypatch.setattr(_report, "picture", keep)
            figure(report)
        return found

    return axes_of


def bars(axes: Axes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, and the lower and upper ends of their vertical bars."""
    (container,) = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    line, _, (_, vertical) = container.lines
    ends = np.array([segment[:, 1] for segment in vertical.get_segments()])
    assert line is not None
    return np.asarray(line.get_ydata()), ends[:, 0], ends[:, 1]


def test_error_bars_are_the_intervals_of_the_report(drawn):
    z, labels = clusters()
    report = nt.diagnose(z, labels, second_view=z + 0.3 * embeddings(300, 6, seed=1))
    axes = drawn(report)
    buckets = report.neighbours.buckets
    value, low, high = bars(axes["neighbours"])
    np.testing.assert_allclose(value, [b.accuracy for b in buckets])
    np.testing.assert_allclose(low, [b.accuracy_low for b in buckets], atol=1e-12)
    np.testing.assert_allclose(high, [b.accuracy_high for b in buckets], atol=1e-12)
    assert report.views is not None
    value, low, high = bars(axes["views"])
    error = np.array([row.error for row in report.views.by_norm])
    np.testing.assert_allclose(value, [row.cosine for row in report.views.by_norm])
    np.testing.assert_allclose(high - low, 4 * error)  # two standard errors on each side


def test_of_many_classes_the_smallest_and_the_largest_are_drawn_beside_their_names(drawn):
    norms = np.repeat(np.arange(1.0, 51), 4)
    z = embeddings(200)
    z *= (norms / np.linalg.norm(z, axis=1))[:, None]
    axes = drawn(nt.diagnose(z, [f"of {norm:g}" for norm in norms]))["classes"]
    (line,) = axes.lines
    at = dict(zip(np.asarray(line.get_ydata()), np.asarray(line.get_xdata()), strict=True))
    ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    shown = {text.get_text(): at[place] for place, text in ticks}
    expected = [*range(1, 16), *range(36, 51)]
    assert shown == {f"of {k} (4)": pytest.approx(k) for k in expected}
    assert max(at, key=lambda place: place) == max(axes.get_yticks())
    assert shown["of 1 (4)"] == at[max(at)]  # the smallest norms stand on top


def test_tenths_are_drawn_as_fast_as_they_turn(drawn):
    report = nt.diagnose(embeddings())
    axes = drawn(report)["turning"]
    heights = [bar.get_height() for bar in axes.patches]  # pyright: ignore
    assert heights == list(report.turning.decile_speeds)
