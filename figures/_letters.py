"""Letters of panels: a, b, c and so on, bold, above the top left corner, alike in all figures."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure

SAME = "same panel"
"""Label of axes that share the letter of the axes before them."""

_UNLETTERED = (SAME, "<colorbar>")
_SIZE, _LEFT, _UP = 9, -4, 6  # points; up as far as a title


def names() -> Iterator[str]:
    """The letters in their order: a to z, then aa, ab and so on."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield "".join(letters)


def named(count: int, first: int = 0) -> str:
    """How a caption names some panels that follow each other: (c), (c) and (d), or (c) to (f).

    Args:
        count: of panels.
        first: how many come before them.
    """
    found = list(itertools.islice(names(), first, first + count))
    if count == 1:
        return f"({found[0]})"
    return f"({found[0]}) {'and' if count == 2 else 'to'} ({found[-1]})"


def panels(figure: Figure) -> list[Axes]:
    """The axes that have a letter where there are several."""
    return [axes for axes in figure.axes if axes.get_label() not in _UNLETTERED]


def letter(figure: Figure) -> None:
    """Put its letter at every panel; a figure of one panel has none."""
    found = panels(figure)
    if len(found) < 2:
        return
    for axes, name in zip(found, names(), strict=False):
        axes.annotate(
            name,
            (0, 1),
            xytext=(_LEFT, _UP),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="baseline",
            fontsize=_SIZE,
            fontweight="bold",
            annotation_clip=False,
            gid="panel letter",
        )
