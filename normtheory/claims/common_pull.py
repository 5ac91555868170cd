"""Embeddings of equal norm, all pulled towards one vector: what the flow keeps, and how it ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import gradient, reduce, square, vector, xp


def chord_velocity(pull_a: Any, pull_b: Any, norm: Any) -> Any:
    """The rate d ln|â − b̂|/dt = −(m·â + m·b̂)/(2ρ²)."""
    return -(pull_a + pull_b) / (2 * norm**2)


def chord_velocity_planted(pull_a: Any, pull_b: Any, norm: Any) -> Any:
    """Planted: the factor ½ left out."""
    return -(pull_a + pull_b) / norm**2


def kept(cross_ratio: Any) -> Any:
    """|â−ĉ||b̂−d̂|/(|â−d̂||b̂−ĉ|) as it was at the start."""
    return cross_ratio


def unequal_norms(end_of_unequal: Any) -> Any:
    """Planted: the same for points whose norms differ."""
    return end_of_unequal


def quarter(rate: Any) -> Any:
    """A step of SGD moves the cross-ratio by O(x²): four times less at half of the rate."""
    return 4 + 0 * rate


def half(rate: Any) -> Any:
    """Over a given time that is O(x): twice less at half of the rate."""
    return 2 + 0 * rate


def unmoved(rate: Any) -> Any:
    """Planted: an error that doesn't depend on the rate."""
    return 1 + 0 * rate


def order_square(start: Any, norm: Any, time: Any, xp: Any) -> Any:
    """r² = 1/(1 + (r₀⁻² − 1)e^(−t/ρ²))."""
    return 1 / (1 + (1 / start**2 - 1) * xp.exp(-time / norm**2))


def order_square_planted(start: Any, norm: Any, time: Any, xp: Any) -> Any:
    """Planted: twice as fast."""
    return 1 / (1 + (1 / start**2 - 1) * xp.exp(-2 * time / norm**2))


def order(start: Any, norm: Any, time: Any, xp: Any) -> Any:
    """The square root of :func:`order_square`."""
    return xp.sqrt(order_square(start, norm, time, xp))


def order_planted(start: Any, norm: Any, time: Any, xp: Any) -> Any:
    """The square root of :func:`order_square_planted`."""
    return xp.sqrt(order_square_planted(start, norm, time, xp))


def _unit(name: str, d: int) -> tuple[np.ndarray, dict[Any, Any]]:
    """A unit vector whose last component knows its square."""
    u = vector(name, d)
    return u, {u[-1]: 1 - square(u[:-1])}


def _mean_pull(d: int, wrong: bool) -> np.ndarray:
    """What is left of −∇L − P m/ρ for L = −½n‖mean ẑ‖², m the mean, for one of three points."""
    n = 3
    points = [vector(f"z{k}_", d) for k in range(n)]
    norms = [sp.Symbol(f"rho{k}", positive=True) for k in range(n)]
    roots = {rho: square(z) for rho, z in zip(norms, points, strict=True)}
    mean = np.sum([z / rho for z, rho in zip(points, norms, strict=True)], axis=0) / n
    loss = -sp.Rational(n, 2) * square(mean)
    unit = points[0] / norms[0]
    pull = (mean - (mean * unit).sum() * unit) / norms[0]
    return reduce(-gradient(loss, points[0], roots) - (2 if wrong else 1) * pull, roots)


def _cross_ratio(norms: tuple[Any, ...]) -> Any:
    """The rate d ln(cross-ratio)/dt from the inner products of four directions and the pull."""
    pulls = sp.symbols("m_a m_b m_c m_d", real=True)
    cosine = {
        pair: sp.Symbol(f"c_{''.join('abcd'[k] for k in pair)}", real=True)
        for pair in ((0, 2), (1, 3), (0, 3), (1, 2))
    }

    def rate(pair: tuple[int, int]) -> Any:
        # |â−b̂|² = 2(1 − â·b̂) and dâ/dt = P m/ρ_a².
        i, j = pair
        moved = (pulls[j] - pulls[i] * cosine[pair]) / norms[i] ** 2
        moved += (pulls[i] - pulls[j] * cosine[pair]) / norms[j] ** 2
        return -moved / (2 * (1 - cosine[pair]))

    return rate((0, 2)) + rate((1, 3)) - rate((0, 3)) - rate((1, 2))


def _poisson(speed: Any) -> dict[str, Any]:
    """Points û = (w + a)/(1 + aw), w on the unit circle, stay such points while a moves."""
    a, x, y, norm = sp.symbols("a x y rho", positive=True)
    roots = {y: 1 - x**2}
    # (w + a)/(1 + aw) in real components, w = x + iy.
    size = (1 + a * x) ** 2 + (a * y) ** 2
    u = np.array([(x + a) * (1 + a * x) + a * y**2, y * (1 - a**2)], dtype=object) / size
    mean = np.array([a, sp.S.Zero], dtype=object)
    flow = (mean - (mean * u).sum() * u) / norm**2
    moved = np.array([sp.diff(part, a) for part in u], dtype=object) * speed(a, norm)
    # Their mean over the circle is a: the average of a function without poles inside.
    w = sp.Symbol("w")
    average = sp.residue((w + a) / (1 + a * w) / w, w, 0)
    return {"Poisson kernel": reduce(flow - moved, roots), "its mean": sp.simplify(average - a)}


def _residuals(chord: Any, norms: Any, speed: Any, square_order: Any, wrong: bool) -> Any:
    found: dict[str, Any] = {}
    rho, t, start = sp.symbols("rho t r_0", positive=True)
    for d in (2, 3):
        found[f"pull of the mean, d={d}"] = _mean_pull(d, wrong)
        (a, root_a), (b, root_b), m = _unit("a", d), _unit("b", d), vector("m", d)
        pulls = (m * a).sum(), (m * b).sum()
        velocity = [(m - pull * u) / rho**2 for pull, u in zip(pulls, (a, b), strict=True)]
        # d|a−b|²/dt = 2|a−b|² d ln|a−b|/dt.
        change = 2 * ((a - b) * (velocity[0] - velocity[1])).sum()
        claimed = 2 * square(a - b) * chord(*pulls, rho)
        found[f"chord, d={d}"] = reduce(change - claimed, root_a | root_b)
    found["cross-ratio"] = reduce(_cross_ratio(norms), {})
    found |= _poisson(speed)
    r = square_order(start, rho, t, xp)
    # With the speed of a = r: d(r²)/dt = r²(1 − r²)/ρ².
    found["r² in time"] = sp.simplify(sp.diff(r, t) - r * (1 - r) / rho**2)
    found["r² at the start"] = sp.simplify(r.subs(t, 0) - start**2)
    return found


def _proof() -> dict[str, Any]:
    rho = sp.Symbol("rho", positive=True)
    return _residuals(
        chord_velocity,
        (rho,) * 4,
        lambda a, norm: a * (1 - a**2) / (2 * norm**2),
        order_square,
        wrong=False,
    )


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(
        chord_velocity_planted,
        sp.symbols("rho_a rho_b rho_c rho_d", positive=True),
        lambda a, norm: a * (1 - a**2) / norm**2,
        order_square_planted,
        wrong=True,
    )
    # The mean of the points and the start are the same in both.
    return {k: v for k, v in wrong.items() if k not in ("its mean", "r² at the start")}


CLAIM = Claim(
    name="common_pull",
    title="A common pull",
    meaning="Where embeddings of one norm are all pulled towards one common vector, the gradient "
    "flow keeps the cross-ratios of their chords; for a pull towards their mean in the plane, one "
    "family of starts has a closed form in time.",
    reason="The logarithm of a chord changes by one term for each of its ends. In a cross-ratio "
    "every end stands once above and once below, so the terms cancel.",
    consequence="A common pull draws a cloud together but keeps this much of its arrangement, and "
    "SGD departs from it only by $O(x)$ over a given time. A cross-ratio that moves more tells of "
    "unequal norms or of pulls that are not common.",
    statement=r"\frac{d\hat z_i}{dt}=\frac{P_im(t)}{\rho^2}:\quad "
    r"\frac{|\hat a-\hat c||\hat b-\hat d|}{|\hat a-\hat d||\hat b-\hat c|}\ \text{is constant};"
    r"\qquad L=-\tfrac n2\lVert\overline{\hat z}\rVert^2,\ d=2,\ \text{Poisson-kernel start}:\quad "
    r"r^2(t)=\frac{1}{1+(r_0^{-2}-1)e^{-t/\rho^2}},\quad t=\sum\gamma",
    assumptions=(
        "gradient flow, all norms equal, any dimension",
        "one vector m(t) for all: the mean direction, a fixed set of keys, or any other",
        "a step of SGD moves the cross-ratio by O(x²), x = γ/ρ², and a run over a given time by"
        " O(x)",
        "r is the length of the mean direction; many points, in the plane, spread as the Poisson"
        " kernel 1 − r₀² over |1 − r₀e^{iθ}|²",
    ),
    source="normtheory (derived here); r(t): Kuramoto",
    item="27",
    proof=_proof,
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="chord along the flow",
            measurement="pull_flow",
            quantity="chord_velocity",
            formula=chord_velocity,
            planted=chord_velocity_planted,
            mistake="factor ½ left out",
            scale=lambda norm, chord: norm**2 * chord,
            reason="rounding of directions, which a chord shorter than 1 magnifies",
        ),
        Check(
            name="cross-ratio along the flow",
            measurement="pull_flow",
            quantity="cross_ratio_after",
            formula=kept,
            planted=unequal_norms,
            mistake="norms within a factor of 2",
            unit="relative",
            tolerance=1e-7,
            reason="200 Runge-Kutta steps of fourth order, each 0.01 of 1/rate",
        ),
        Check(
            name="error of a step at half of the rate",
            measurement="pull_steps",
            quantity="fall_of_step",
            formula=quarter,
            planted=half,
            mistake="first order",
            unit="relative",
            tolerance=0.05,
            reason="next order in x = 0.01",
        ),
        Check(
            name="error of a run at half of the rate",
            measurement="pull_steps",
            quantity="fall_of_run",
            formula=half,
            planted=unmoved,
            mistake="an error that stays",
            unit="relative",
            tolerance=0.05,
            reason="next order in x = 0.01",
        ),
        Check(
            name="mean direction along the flow",
            measurement="poisson_flow",
            quantity="order",
            formula=order,
            planted=order_planted,
            mistake="twice as fast",
            unit="relative",
            tolerance=1e-7,
            reason="Runge-Kutta steps of 0.015; 256 points stand for a circle to r^256",
        ),
        Check(
            name="mean direction under SGD with a schedule",
            measurement="poisson_flow",
            quantity="order_of_steps",
            formula=order,
            planted=order_planted,
            mistake="twice as fast",
            unit="relative",
            tolerance=0.02,
            reason="of first order in x, at most 0.02",
        ),
    ),
    conditions=(
        Condition(
            name="the cross-ratio is kept",
            region=r"\rho_1=\dots=\rho_n",
            measurement="pull_flow",
            options={"alternate": True},
            margin=lambda unequal: 1 - 2 * unequal,
            slack=lambda cross_ratio, cross_ratio_after: (
                1e-6 - abs(cross_ratio_after / cross_ratio - 1)
            ),
            counterexample="norms within a factor of 2",
        ),
        Condition(
            name="r(t) in closed form",
            region=r"\text{Poisson-kernel start}",
            measurement="poisson_flow",
            options={"arcs": True},
            margin=lambda arc: 1 - 2 * arc,
            slack=lambda order, start, norm, time, xp: (
                1e-6 - abs(order / xp.sqrt(order_square(start, norm, time, xp)) - 1)
            ),
            counterexample="points spread evenly over an arc, with the same r at the start",
        ),
    ),
    implemented_by=(
        "normtheory.invariants.cross_ratio",
        "normtheory.invariants.common_pull_order",
    ),
)
