"""Through a network the law holds for the weights, not for the embeddings of a batch."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLACK, BLUE, PAGE, VERMILION, Row
from figures._bands import mean_and_interval
from figures._captions import count, intervals, settings
from simulations.encoders.measures import interval


def rms(values: xr.DataArray) -> xr.DataArray:
    """Root mean square over embeddings."""
    return (values**2).mean("embedding") ** 0.5


def width_exponent(result: xr.Dataset) -> float:
    """Slope of log(radial part of an embedding's own displacement) against log(width)."""
    radial = rms(result.radial_own).mean("run")
    return float(np.polyfit(np.log(result.width.values), np.log(radial.values), 1)[0])


def draw(result: xr.Dataset) -> Figure:
    """Radial part of displacements against width, its sign, and norms while training.

    Args:
        result: of the experiment ``encoder_drift``.

    Returns:
        The figure.
    """
    figure, (size, sign, growth) = plt.subplots(1, 3, figsize=(PAGE, 2.6))
    for name, color, fmt, label in (
        ("radial_own", BLUE, "o-", "own part"),
        ("radial_batch", VERMILION, "o-", "whole batch"),
        ("radial_real", BLACK, "x:", "a real step"),
    ):
        radial = rms(result[name])
        bars = interval(radial.transpose("run", "width").values)
        style = {"fmt": fmt, "color": color, "capsize": 2}
        size.errorbar(radial.width, radial.mean("run"), bars, label=label, **style)
        falls = (result[name] < 0).mean("embedding")
        bars = interval(falls.transpose("run", "width").values)
        sign.errorbar(falls.width, falls.mean("run"), bars, **style)
    width = result.width.values
    anchor = float(rms(result.radial_own).isel(width=0).mean())
    size.plot(
        width,
        anchor * (width / width[0]) ** -0.5,
        color=BLACK,
        ls="--",
        lw=0.9,
        label="width$^{-1/2}$",
    )
    size.set(xscale="log", yscale="log", xlabel="width", ylabel="|cos(embedding, displacement)|")
    size.set_title("radial part (0: orthogonal)")
    size.legend(loc="lower left")
    shown = size.get_ylim()
    size.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1], ["0.02", "0.05", "0.1", "0.2", "0.5", "1"])
    size.set_ylim(shown)
    sign.axhline(0.5, color="0.7", lw=0.9)
    sign.set(xscale="log", ylim=(-0.03, 1.03), xlabel="width", ylabel="share of norms that shrink")
    sign.set_title("one small step")
    for axes in (size, sign):
        axes.set_xticks(width, [str(w) for w in width])
        axes.minorticks_off()
    for i, trained in enumerate(result.trained_width.values):
        one, color = result.sel(trained_width=trained), (VERMILION, BLUE)[i % 2]
        mean_and_interval(
            growth, 1 + one.embedding_growth, color=color, label=f"embeddings, width {trained}"
        )
        mean_and_interval(growth, 1 + one.embedding_orthogonal, ls=":", color=color)
    weights = 1 + result.isel(trained_width=-1).weight_growth
    mean_and_interval(growth, weights, ls="--", color=BLACK, lw=0.9, label="weights")
    growth.set(xlabel="step", ylabel="squared norm, over its start")
    growth.set_title("training (dotted: if orthogonal)")
    low, high = growth.get_ylim()
    growth.set_ylim(low, high + 0.35 * (high - low))
    growth.legend(loc="upper right")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many networks."""
    s = settings(result)
    return (
        f"Embeddings of {count(s.pairs, 'pair')} in encoders of different width, NT-Xent at "
        f"temperature {s.temperature:g}, d = {s.dimension}, seed {s.seed}. (a) Radial part of the "
        "displacement of new embeddings, to first order by an embedding's own part of the "
        f"gradient and by the whole batch, and in a real step at rate {s.learning_rate:g}; root "
        "mean square over embeddings; dashed: a power of the width. (b) Share of norms that "
        f"shrink. (c) Squared norms over {count(s.steps, 'step')} of SGD; dotted: were all "
        "displacements orthogonal; dashed: weights of the widest network that is trained. Bars and "
        f"bands are {intervals(s.runs, 'network')}."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Orthogonality of weights and embeddings, and growth where it is a law and where not."""
    widest = result.isel(trained_width=-1, step=-1).mean("run")
    batch, real = (rms(result[name]).mean("run") for name in ("radial_batch", "radial_real"))
    falls = (result.radial_real < 0).mean(("run", "embedding"))
    ends = result.width.values[[0, -1]]
    return [
        Row("own displacement, radial part: exponent of width", None, -0.5, width_exponent(result)),
        *(
            Row(
                f"batch displacement, |cos| at width {int(w)}", None, 0.0, float(batch.sel(width=w))
            )
            for w in ends
        ),
        *(
            row
            for w in ends
            for row in (
                Row(f"a real step, |cos| at width {w}", None, 0.0, float(real.sel(width=w))),
                Row(f"share of norms it shrinks, width {w}", None, None, float(falls.sel(width=w))),
            )
        ),
        Row(
            "|⟨W, ∇W⟩| / lengths, worst layer, no biases",
            None,
            0.0,
            float(result.weight_alignment.max()),
        ),
        Row("the same, last (W, b) with biases", None, 0.0, float(result.joint_alignment)),
        Row(
            "relative growth of squared weights",
            None,
            float(widest.weight_orthogonal),
            float(widest.weight_growth),
        ),
        Row(
            "relative growth of squared embeddings",
            None,
            float(widest.embedding_orthogonal),
            float(widest.embedding_growth),
        ),
    ]
