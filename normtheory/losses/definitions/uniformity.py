"""Uniformity: how far the points of one cloud are from being spread evenly."""

from __future__ import annotations

from typing import Any

from normtheory._types import Array, Embeddings
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, Option
from normtheory.losses._slope import Slope


def _slope(xp: Namespace, u: Embeddings, *, sharpness: Array) -> Slope:
    n = u.shape[0]
    # Distances do not change when the mean is taken off, and those of a collapsed cloud keep their
    # digits then: 2 - 2 û_i·û_j would leave eps.
    shifted = u - xp.mean(u, axis=0, keepdims=True)
    square = xp.sum(shifted * shifted, axis=-1)

    def step(carried: Any, index: Array, own: Array, square_own: Array, u_own: Array) -> Any:
        # -‖û_i - û_j‖²
        below = 2 * xp.product(own, shifted.T) - square_own[:, None] - square[None, :]
        logits = xp.filled(sharpness * below, 0.0, index)
        small = xp.sum(xp.expm1(logits), axis=-1)
        part = xp.softmax(xp.filled(logits, -float("inf"), index))
        mean = xp.product(part.powers, u) / part.unit if slopes else xp.zeros_like(u_own)
        mean_below = xp.sum(part.powers * below / part.unit, axis=-1)
        return carried, (part.top, part.total, small, mean, mean_below)

    slopes = xp.wants("z")
    _, (top, total, small, mean, mean_below) = xp.over_rows(step, (shifted, square, u), None)
    # One softmax over all pairs, put together from those of the rows.
    largest = xp.max(top)
    of_row = total * xp.exp(top - largest)
    all_pairs = xp.sum(of_row)
    share = of_row / all_pairs
    count = n * (n - 1)
    # Of a collapsed cloud the mean of exp is 1 and a little, which log1p keeps.
    little = xp.sum(small) / count
    close = little > -0.5
    near = xp.log1p(xp.where(close, little, xp.zeros_like(little)))
    value = xp.where(close, near, largest + xp.log(all_pairs / count))
    # Share and similarity are symmetric: the columns repeat the rows.
    slope = 4 * sharpness * share[:, None] * mean
    return Slope(value, {"z": slope}, {"sharpness": xp.sum(share * mean_below)})


LOSS = Loss(
    name="uniformity",
    summary="Uniformity: log of the mean of exp(-t‖ẑ_i - ẑ_j‖²) over pairs of different points.",
    clouds=(Cloud("z", least=2),),
    # exp(-t‖û - v̂‖²) = exp(2t cos)·const
    options=(
        Option(
            "sharpness",
            2.0,
            "t",
            trained=True,
            above=0.0,
            steepness=lambda t: 2 * t,
            example=2.0,
        ),
    ),
    slope=_slope,
    source="Wang and Isola 2020, sec. 4.1",
    all_pairs=True,
    notes="""
It is <= 0. Of a cloud that has collapsed to a width w it is about -t w², known to eps/w relative
to itself.
""",
)
