"""Every figure: drawn from the smallest run, labelled, nothing cut off or on top of each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import figures
import simulations
from figures import class_imbalance
from figures._letters import panels
from normtheory.losses import DISOBEDIENT, LOSSES

from ..simulations.smoke import example


class Drawing(NamedTuple):
    """A figure, laid out.

    Attributes:
        picture: what was drawn.
        changed: settings of matplotlib that drawing it changed.
        caption: what is said of it.
    """

    picture: Figure
    changed: dict[str, tuple[Any, Any]]
    caption: str


def lay_out(picture: Figure) -> None:
    """Put everything where it is drawn, without pixels."""
    with plt.style.context(figures.STYLE):
        picture.draw_without_rendering()


# From the end: another worker runs the experiments from the start, and they share results.
@pytest.fixture(scope="module", params=figures.names()[::-1])
def drawing(request: pytest.FixtureRequest) -> Iterator[Drawing]:
    """A figure and what belongs to it."""
    name = request.param
    result = example(name) if name in simulations.names() else None
    before = dict(plt.rcParams)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_imbalance, "DRAWS", 400)  # of means, enough for a curve
        drawn = figures.draw(figures.get(name), result)
    changed = {k: (before[k], x) for k, x in plt.rcParams.items() if x != before[k]}
    lay_out(drawn)
    yield Drawing(drawn, changed, figures.caption(name, result))
    plt.close(drawn)


@pytest.fixture
def picture(drawing: Drawing) -> Figure:
    """The figure; a test that reads it leaves it as it is."""
    return drawing.picture


def texts(picture: Figure) -> list[Text]:
    """All that can be read on a figure."""
    found = picture.findobj(lambda a: isinstance(a, Text))
    return [t for t in found if isinstance(t, Text) and t.get_visible() and t.get_text().strip()]


def box(artist: Text | Axes) -> Bbox:
    """Where it lies on the canvas, in pixels."""
    return artist.get_window_extent()


def overlap(a: Bbox, b: Bbox) -> bool:
    """Whether two boxes share more than their edges (a pixel of tolerance)."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return width > 1 and height > 1


def sticks_out(inner: Bbox, outer: Bbox) -> bool:
    """Whether one box sticks out of the other by more than a pixel."""
    beyond = (outer.x0 - inner.x0, outer.y0 - inner.y0, inner.x1 - outer.x1, inner.y1 - outer.y1)
    return max(beyond) > 1


def test_the_figures_are_there() -> None:
    wanted = {
        "gradient_field",
        "gradscale",
        "loss_atlas",
        "norm_effect",
        "quartic_growth",
        "opposite_halves",
        "step_change",
        "weight_decay",
    }
    assert wanted <= set(figures.names())


def test_an_unknown_figure_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match=r"no figure 'nope'; there are: class_imbalance, .*"):
        figures.figure("nope")


def test_axes_are_labelled_and_show_data(picture: Figure) -> None:
    # A colour bar has one axis only, and a sphere none.
    shown = [a for a in picture.axes if a.axison and a.get_label() != "<colorbar>"]
    assert shown
    for axes in shown:
        below = axes.get_shared_x_axes().get_siblings(axes)
        beside = axes.get_shared_y_axes().get_siblings(axes)
        assert any(a.get_xlabel() for a in below)
        assert any(a.get_ylabel() for a in beside)
        assert axes.has_data()


def test_width_is_that_of_one_column_or_two(picture: Figure) -> None:
    assert picture.get_figwidth() in (figures.COLUMN, figures.PAGE)


def test_everything_can_be_read(picture: Figure) -> None:
    # Subscripts of mathematics are smaller; the size of a text is that of its letters.
    assert min(float(t.get_fontsize()) for t in texts(picture)) >= 6.5


def test_nothing_is_cut_off(picture: Figure) -> None:
    # In inches, of all that is drawn: ticks beyond the limits don't count.
    drawn, (width, height) = picture.get_tightbbox(), picture.get_size_inches()
    assert drawn.x0 >= -0.01
    assert drawn.y0 >= -0.01
    assert drawn.x1 <= width + 0.01
    assert drawn.y1 <= height + 0.01


def test_titles_and_legends_keep_to_their_place(picture: Figure) -> None:
    titles = [a.title for a in picture.axes if a.get_title()]
    for i, title in enumerate(titles):
        assert not any(overlap(box(title), box(a)) for a in picture.axes), title.get_text()
        assert not any(overlap(box(title), box(t)) for t in titles[i + 1 :]), title.get_text()
    for axes in picture.axes:
        legend = axes.get_legend()
        if legend is not None:
            assert not sticks_out(legend.get_window_extent(), box(axes))


def test_colours_are_those_of_the_palette(picture: Figure) -> None:
    palette = {figures.BLUE, figures.VERMILION, figures.GREEN, figures.ORANGE}
    palette |= {figures.SKY, figures.PURPLE, figures.BLACK, *figures.SEQUENTIAL}
    for axes in picture.axes:
        for line in axes.lines:
            color = line.get_color()
            grey = str(color).replace(".", "").isdigit()  # guides, such as "0.85"
            assert color in palette or grey, color


def letters(picture: Figure) -> list[Text]:
    """Of the panels, in the order of the panels."""
    found = [t for axes in picture.axes for t in axes.texts if t.get_gid() == "panel letter"]
    assert [t.axes for t in found] == (panels(picture) if found else [])
    return found


def test_panels_have_letters_alike_in_the_order_of_reading(picture: Figure) -> None:
    found = letters(picture)
    count = len(panels(picture))
    assert [t.get_text() for t in found] == [*"abcdefghijklmnopqrstuvwxyz"][: count * (count > 1)]
    assert {(t.get_fontsize(), t.get_fontweight()) for t in found} <= {(9.0, "bold")}
    places = [axes.get_position() for axes in panels(picture)]
    assert places == sorted(places, key=lambda place: (-round(place.y1, 2), place.x0))
    for letter in found:
        assert letter.axes
        corner = letter.axes.get_window_extent()
        assert box(letter).x1 <= corner.x0
        assert box(letter).y0 >= corner.y1


def beyond(picture: Figure) -> set[Text]:
    """Labels of ticks outside of the limits, which are not drawn."""
    found: set[Text] = set()
    for axis in (axis for axes in picture.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                found |= {tick.label1, tick.label2}
    return found


def test_a_letter_lies_on_nothing_else(picture: Figure) -> None:
    found = letters(picture)
    left_out = {*beyond(picture), *found}
    others = [(t, box(t)) for t in texts(picture) if t not in left_out] if found else []
    for letter in found:
        lies_on = [t.get_text() for t, place in others if overlap(box(letter), place)]
        assert not lies_on, letter.get_text()


def test_the_caption_names_every_panel_by_its_letter(drawing: Drawing) -> None:
    named: set[str] = set()
    for first, last in re.findall(r"\(([a-z])\)(?: to \(([a-z])\))?", drawing.caption):
        named |= {chr(k) for k in range(ord(first), ord(last or first) + 1)}
    assert named == {t.get_text() for t in letters(drawing.picture)}


def test_the_caption_says_what_bands_and_bars_are(drawing: Drawing) -> None:
    bars = any(
        isinstance(c, ErrorbarContainer) and c.has_yerr | c.has_xerr
        for axes in drawing.picture.axes
        for c in axes.containers
    )
    bands = any(
        type(c).__name__ in ("FillBetweenPolyCollection", "PolyCollection")  # 3.9 has the latter
        for axes in drawing.picture.axes
        for c in axes.collections
    )
    of = "intervals? of|intervals \\(|range|standard (deviation|error)|from the lowest|± "
    for drawn, word in ((bars, "bars"), (bands, "bands?")):
        if drawn:
            assert re.search(rf"\b{word}\b", drawing.caption, re.IGNORECASE), word
            assert re.search(of, drawing.caption), word
    if not bars | bands:  # then why there are none
        assert re.search("(no|without) (bars|bands)|nothing is random", drawing.caption)


def test_drawing_leaves_the_style_of_others_alone(drawing: Drawing) -> None:
    assert drawing.changed == {}


def test_a_notebook_gets_a_figure_in_one_call() -> None:
    drawn = figures.figure("norm_effect", smoke=True)
    assert isinstance(drawn, Figure)
    plt.close(drawn)


def test_a_slope_without_an_error_is_unknown() -> None:
    result = example("gradscale")
    result["recursion_exponent_error"] = ("power", [np.nan, 0.01, 0.01])
    drawn = figures.draw(figures.get("gradscale"), result)
    legend = drawn.axes[0].get_legend()
    assert legend is not None
    labels = [t.get_text() for t in legend.get_texts()]
    assert labels[0] == "p = 0: slope unknown"
    assert labels[1].endswith("± 0.010")
    plt.close(drawn)


def test_the_atlas_lists_those_that_obey_and_has_a_panel_for_each_that_does_not() -> None:
    result = example("loss_atlas")
    # A loss of directions that disobeys must stand out, too: what counts is what was measured.
    result["obeys"].loc[{"loss": "supcon"}] = 0
    drawn = figures.draw(figures.get("loss_atlas"), result)
    together, *others = drawn.axes
    lists = [text.get_text() for text in together.texts if text.get_gid() != "panel letter"]
    listed = "\n".join(lists).split()
    assert sorted(listed) == sorted(set(LOSSES) - {"supcon"})
    assert f"{len(LOSSES) - 1} losses obey" in together.get_title()
    assert {line.get_color() for line in together.lines} == {figures.BLUE, figures.BLACK}
    assert not together.patch.get_hatch()
    assert {a.get_title().removeprefix("✗ ") for a in others} == {"supcon", *DISOBEDIENT}
    for axes in others:
        assert axes.patch.get_hatch()
        assert {line.get_color() for line in axes.lines} >= {figures.VERMILION, figures.BLACK}
    plt.close(drawn)


def test_the_atlas_has_room_for_the_next_losses() -> None:
    result = example("loss_atlas")
    more = result.isel(loss=[-1, -1]).assign_coords(loss=["one_more", "two_more"])
    drawn = figures.draw(figures.get("loss_atlas"), xr.concat([result, more], "loss"))
    lay_out(drawn)
    titles = [axes.get_title() for axes in drawn.axes[1:]]
    assert len(titles) == len(DISOBEDIENT) + 2
    assert titles[-1] == "✗ two_more"
    lowest = [
        a.get_title()
        for a in drawn.axes[1:]
        if any(t.get_visible() and t.get_text() for t in a.get_xticklabels())
    ]
    # Every column of small panels has its ticks under the lowest of them.
    assert len(lowest) == figures.get("loss_atlas").COLUMNS
    plt.close(drawn)
