"""Figures: one picture a file, results in, matplotlib ``Figure`` out. Run from a clone.

A figure NAME is the module ``figures.NAME`` with ``draw(result) -> Figure``, and with
``caption(result) -> str``, which names its panels by their letters and says of what and how many
runs they are. If there is an experiment of the same name, its result is what both receive;
otherwise they need nothing. A figure that compares numbers also has ``rows(result)``: published,
predicted and simulated values for the closing table. It is found by its file: adding a figure is
adding one file.

In a notebook: ``figures.figure("norm_effect")``.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from normtheory._drawing import style  # isort: split

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

import simulations
from figures import _letters
from simulations import _store

STYLE = Path(__file__).with_name("normtheory.mplstyle")
BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
)
SEQUENTIAL = ("#9ECAE1", "#4292C6", "#08519C", "#08306B")
"""For values that have an order, from low to high."""

COLUMN, PAGE = 3.4, 7.0  # widths in inches: one column, and both


class Row(NamedTuple):
    """One line of the closing table.

    Attributes:
        quantity: what is compared.
        published: the paper's number, None where it has none.
        predicted: by a closed form.
        simulated: by a recursion or by SGD.
        within: how far the simulated number may be from the predicted one, half of an interval or a
            tolerance; None where nothing is said of it.
    """

    quantity: str
    published: float | None
    predicted: float | None
    simulated: float | None
    within: float | None = None

    @property
    def verdict(self) -> str | None:
        """Whether simulated and predicted number agree; None where no row says how closely."""
        if self.within is None or self.simulated is None or self.predicted is None:
            return None
        return "agrees" if abs(self.simulated - self.predicted) <= self.within else "differs"

    @property
    def deviation(self) -> float | None:
        """Of the published number (else the simulated one) from the predicted one, relative.

        None where the predicted one is 0 as far as anybody can say: a share of it means nothing.
        """
        if self.predicted is not None and abs(self.predicted) <= (self.within or 0.0):
            return None
        reference = self.simulated if self.published is None else self.published
        return reference / self.predicted - 1 if reference is not None and self.predicted else None


def names() -> tuple[str, ...]:
    """The figures there are."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(n for n in found if not n.startswith("_")))


def get(name: str) -> ModuleType:
    """The module of a figure; ValueError with the known names otherwise."""
    if name not in names():
        raise ValueError(f"no figure {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"figures.{name}")


def result(
    name: str, *, smoke: bool = False, force: bool = False, settings: Any = None
) -> xr.Dataset | None:
    """The result a figure is drawn from, kept or newly run; None where it needs no experiment."""
    if name not in simulations.names():
        return None
    if smoke and settings is None:
        settings = simulations.get(name).SMOKE
    return _store.result(name, settings, force=force)


def figure(name: str, *, smoke: bool = False, force: bool = False, settings: Any = None) -> Figure:
    """Draw a figure.

    Args:
        name: of the figure.
        smoke: draw it from the smallest run of its experiment.
        force: run the experiment even if a result is kept.
        settings: other settings of its experiment.

    Returns:
        The matplotlib figure, in the style of the project.

    Raises:
        ValueError: there is no such figure.
    """
    return draw(get(name), result(name, smoke=smoke, force=force, settings=settings))


def picture(result: Any) -> Figure:
    """Draw what was recorded over steps, one panel a variable; bands are quantiles over rows.

    Args:
        result: a :class:`normtheory.particles.Run`, a recorded
            :class:`normtheory.PairSimulation`, a :class:`normtheory.Monitor`, an
            ``xarray.Dataset`` over ``step``, or the NetCDF file of one. The result of an experiment
            is drawn as its own figure.

    Returns:
        The matplotlib figure, in the style of the project.

    Raises:
        TypeError: something else.
        ValueError: nothing in it is over steps.
        OSError: the file can't be read.
    """
    from figures import _picture

    return _picture.picture(result)


def picture_caption(result: Any) -> str:
    """What :func:`picture` shows of a result, panel by panel; errors as there."""
    from figures import _picture

    return _picture.caption(result)


def caption(name: str, result: xr.Dataset | None = None) -> str:
    """What a figure shows, panel by panel, with the numbers of the run that it is drawn from.

    Args:
        name: of the figure.
        result: of its experiment, as :func:`result` gives it; None where it needs none.

    Raises:
        ValueError: there is no such figure.
    """
    module = get(name)
    return module.caption() if result is None else module.caption(result)


def draw(module: ModuleType, data: xr.Dataset | None) -> Figure:
    """Draw the figure of a module from a result, in the style of the project, with its letters."""
    with style(STYLE):
        picture = module.draw() if data is None else module.draw(data)
        _letters.letter(picture)
    plt.close(picture)  # or a notebook would show it twice; it can still be saved
    return picture
