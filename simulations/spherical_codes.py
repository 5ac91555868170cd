"""Uniformity at low temperature finds the best known spherical codes from random starts.

Points on a sphere are moved by L-BFGS to a minimum of uniformity (Wang and Isola 2020), which is
ln mean exp(cos/τ) up to a constant, first at a mild temperature τ = 1/(2t), then at ever lower ones
from where the last ended. At τ → 0 only the nearest pairs count: their angle is made as large as it
can be. Simplex, cross-polytope, icosahedron, the 600-cell and E8's shortest vectors are best at
*every* τ (Cohn and Kumar 2007), so what is reached at one temperature stays. The square antiprism
is best in the limit alone; on the way its largest cosine is too large by τ ln(1+1/√2)/(2+1/√2),
where its two kinds of nearest pairs balance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from scipy import optimize
from threadpoolctl import threadpool_limits

import normtheory as nt
from normtheory import sphere
from simulations._settings import check_positive


class Code(NamedTuple):
    """A code whose points all see the others alike.

    Attributes:
        dimension: of the space.
        seen: cosines from a point to others, the largest first, and how many there are of each.
    """

    dimension: int
    seen: tuple[tuple[float, int], ...]

    @property
    def points(self) -> int:
        """How many it has."""
        return 1 + sum(count for _, count in self.seen)

    @property
    def largest(self) -> float:
        """Cosine of nearest points, the smallest possible for so many points."""
        return self.seen[0][0]


_GOLDEN = (1 + 5**0.5) / 2
_FIFTH = 5**-0.5
_SQUARE = (2 * 2**0.5 - 1) / 7  # all edges of the antiprism alike: 2h² = (1 − h²)/√2, cosine h²
ANTIPRISM = "antiprism"

#: Best codes: Cohn and Kumar 2007, and for the antiprism Schütte and van der Waerden 1951.
CODES = {
    "simplex": Code(8, ((-1 / 8, 8),)),
    "cross-polytope": Code(8, ((0.0, 14), (-1.0, 1))),
    "icosahedron": Code(3, ((_FIFTH, 5), (-_FIFTH, 5), (-1.0, 1))),
    "600-cell": Code(
        4,
        (
            (_GOLDEN / 2, 12),
            (0.5, 20),
            ((_GOLDEN - 1) / 2, 12),
            (0.0, 30),
            ((1 - _GOLDEN) / 2, 12),
            (-0.5, 20),
            (-_GOLDEN / 2, 12),
            (-1.0, 1),
        ),
    ),
    "E8": Code(8, ((0.5, 56), (0.0, 126), (-0.5, 56), (-1.0, 1))),
    ANTIPRISM: Code(
        3, ((_SQUARE, 4), (2 * _SQUARE - 1, 1), (-_SQUARE - (1 - _SQUARE) * 0.5**0.5, 2))
    ),
}

#: By how much the largest cosine of the antiprism is too large, over τ.
EXCESS = float(np.log(1 + 0.5**0.5) / (2 + 0.5**0.5))


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        codes: names of the codes.
        temperatures: τ, one after the other, falling.
        starts: random ones, of every code.
        iterations: of L-BFGS at most, at every temperature.
        tolerance: of the largest slope, where L-BFGS stops.
        seed: of the starts.
    """

    codes: tuple[str, ...] = tuple(CODES)
    temperatures: tuple[float, ...] = (0.08, 0.04, 0.02, 0.01, 0.005)
    starts: int = 40
    iterations: int = 400
    tolerance: float = 1e-9
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, unknown codes, and temperatures that rise."""
        check_positive(self)
        unknown = [name for name in self.codes if name not in CODES]
        if unknown:
            raise ValueError(f"codes: expected some of {', '.join(CODES)}, got {unknown[0]!r}")
        if any(np.diff(self.temperatures) >= 0):
            raise ValueError("temperatures: expected every one lower than the one before")


SECONDS = 24  # of the full run, about, on two cores
# Six starts rather than forty: shares of starts are known less well.
QUICK = Settings(starts=6)
QUICK_SECONDS = 6
SMOKE = Settings(codes=("icosahedron", ANTIPRISM), temperatures=(0.08, 0.02), starts=2)


def deviation(points: np.ndarray, code: Code) -> float:
    """Largest difference between the cosines of unit vectors and those of a code.

    The cosines from every point are compared in order, so that numbers count, too.
    """
    cosines = points @ points.T
    np.fill_diagonal(cosines, np.inf)
    found = np.sort(cosines, axis=1)[:, :-1]
    cosine, count = zip(*code.seen, strict=True)
    return float(abs(found - np.sort(np.repeat(cosine, count))).max())


def _largest(points: np.ndarray) -> float:
    cosines = points @ points.T
    np.fill_diagonal(cosines, -np.inf)
    return float(cosines.max())


@jax.jit
def _loss(points: Any, sharpness: Any) -> Any:
    return nt.losses.uniformity.value_and_gradient(points, sharpness=sharpness)


def spread(points: np.ndarray, temperature: float, iterations: int, tolerance: float) -> np.ndarray:
    """Unit vectors (n, d) at a minimum of uniformity at τ = 1/(2t), from others."""
    shape = points.shape

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = _loss(x.reshape(shape), 1 / (2 * temperature))
        return float(loss), np.asarray(gradient).ravel()

    options = {"maxiter": iterations, "maxcor": 30, "ftol": 0.0, "gtol": tolerance}
    found = optimize.minimize(value, points.ravel(), jac=True, method="L-BFGS-B", options=options)
    moved = found.x.reshape(shape)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def _search(code: Code, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Deviation and largest cosine (start, temperature, 2); points of the start that ends best."""
    table, ends = [], []
    for start in range(settings.starts):
        rng = np.random.default_rng([settings.seed, start])
        points = sphere.uniform(rng, code.points, code.dimension)
        found = []
        for temperature in settings.temperatures:
            points = spread(points, temperature, settings.iterations, settings.tolerance)
            found.append((deviation(points, code), _largest(points)))
        table.append(found)
        ends.append(points)
    values = np.array(table)
    return values, ends[int(values[:, -1, 0].argmin())]


def run(settings: Settings) -> xr.Dataset:
    """Look for every code from every start, at falling temperatures.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``code``, ``start`` and ``temperature``: ``deviation``, the largest difference
        from the known cosines, and ``largest``, the largest cosine; over ``code`` the largest
        ``known`` one, ``points`` and ``dimension``; and over ``spot`` the ``position``
        (spot, component) of the points of the start that ended best, of the code ``code_of`` says,
        with zeros for components there are not.
    """
    codes = [CODES[name] for name in settings.codes]
    # Matrices of L-BFGS are so small that more threads of BLAS wait for each other: of what a run
    # takes, nine tenths.
    with jax.enable_x64(True), threadpool_limits(1, "blas"):
        found = [_search(code, settings) for code in codes]
    values = np.stack([one for one, _ in found])
    widest = max(code.dimension for code in codes)
    spots = [np.pad(best, ((0, 0), (0, widest - best.shape[1]))) for _, best in found]
    across, one = ("code", "start", "temperature"), {"units": "1"}
    return xr.Dataset(
        {
            "deviation": (across, values[..., 0], one),
            "largest": (across, values[..., 1], one),
            "known": ("code", [code.largest for code in codes], one),
            "points": ("code", [code.points for code in codes], one),
            "dimension": ("code", [code.dimension for code in codes], one),
            "position": (("spot", "component"), np.concatenate(spots), one),
        },
        coords={
            "code": list(settings.codes),
            "temperature": list(settings.temperatures),
            "code_of": ("spot", np.repeat(settings.codes, [code.points for code in codes]), one),
        },
    )
