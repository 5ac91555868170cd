"""Alignment: the mean of a power of the distance between the directions of n pairs."""

from __future__ import annotations

from normtheory._types import Array, Embeddings
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Option
from normtheory.losses._slope import Slope
from normtheory.losses.definitions._views import PAIRS


def _slope(xp: Namespace, u: Embeddings, v: Embeddings, *, power: Array) -> Slope:
    n = u.shape[0]
    chord = u - v
    square = xp.sum(chord * chord, axis=-1)
    # Where the two coincide the subgradient is 0; for powers above 1 it is the gradient. Directions
    # are known to eps: a chord below that is rounding (XLA may subtract before it rounds û).
    apart = ~(square <= xp.finfo(u.dtype).eps ** 2)  # a NaN counts as apart, and stays NaN
    safe = xp.where(apart, square, xp.ones_like(square))
    powers = xp.where(apart, safe ** (power / 2), xp.zeros_like(square))
    # At α = 2 the factor stays 2 there, so that the Hessian is right too.
    meeting = xp.where(power == 2, 2 * xp.ones_like(power), xp.zeros_like(power))
    slope = xp.where(apart, power * safe ** (power / 2 - 1), meeting)[:, None] * chord / n
    by_power = xp.sum(powers * xp.log(safe)) / (2 * n)
    return Slope(xp.sum(powers) / n, {"z_1": slope, "z_2": -slope}, {"power": by_power})


LOSS = Loss(
    name="alignment",
    summary="Alignment: the mean of ‖ẑ_1 - ẑ_2‖^α over n positive pairs.",
    clouds=PAIRS,
    options=(Option("power", 2.0, "α", trained=True, above=0.0, example=2.0),),
    slope=_slope,
    source="Wang and Isola 2020, sec. 4.1",
    notes="""
At α = 2 this is 2 + 2·attraction. Where the two coincide the subgradient 0 is taken, which matters
for α <= 1 only.
""",
)
