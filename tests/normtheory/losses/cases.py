"""Every loss with its options, and point clouds of every kind: what the other files run over."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import normtheory as nt
from normtheory.losses import LOSSES, Loss

SPREADS = ("uniform", "von_mises_fisher", "near_parallel", "near_antipodal")
SHAPES = ((2, 2), (7, 3), (64, 128), (3, 1024))
"""(n, d); both ends of n in 2…64 and of d in 2…1024."""


@dataclass(frozen=True, eq=False)
class Case:
    """One loss with one set of options.

    Attributes:
        loss: the entry of ``LOSSES``.
        options: options beside those of the entry's example.
        steepness: 1/τ or what plays its part: how much a change of a cosine is magnified.
        pull: bound of Σ_b |∂(loss of a row)/∂(cosine b)|, the total pull on one row.
        label: shown by pytest.
    """

    loss: Loss
    options: dict[str, Any]
    steepness: float
    pull: float
    label: str

    @property
    def name(self) -> str:
        return self.loss.name

    def sizes(self, clouds: tuple[np.ndarray, ...], options: dict[str, Any]) -> list[Any]:
        """Natural size of the scale-free gradient ρ‖g‖ of every trained cloud, the unit of errors.

        A gradient is a sum Σ_b W_ab P v̂_b/ρ_a, whose terms are rounded in proportion to
        themselves, so it can't be better than eps times Σ_b |W_ab|. Of that the bound is taken that
        can be told before: the pull of one row's loss, divided by the n rows of the mean; not
        divided for class weights and prototypes, at which all n rows may pull.
        """
        n = len(clouds[0])
        sizes: list[Any] = [
            self.pull if self.loss.clouds[i].role == "prototypes" else self.pull / n
            for i in self.loss.trained
        ]
        kinks = self._kinks(clouds, options)
        return [self._questions(n) * size * x for size, x in zip(sizes, kinks, strict=True)]

    def _questions(self, n: int) -> int:
        return n if self.name == "siglip" else 1  # every row answers n questions of its own

    def value_size(self, n: int) -> float:
        """Natural size of the value: logits, of size 1/τ, are what it is made of."""
        return self._questions(n) * self.pull

    def option_size(self, n: int) -> float:
        """That of a derivative with respect to an option.

        By τ it is Σ W∘S/τ: the pull of a row, magnified once more.
        """
        return max(1.0, self.steepness) * self.value_size(n)

    def _kinks(self, clouds: tuple[np.ndarray, ...], options: dict[str, Any]) -> list[Any]:
        """By how much more the terms are magnified near a kink, for every trained cloud.

        There one term has no bound, though its tangent part has: the direction of that part is
        known from rounded inputs to eps over the distance of the two points only.
        """
        if self.name not in ("arcface", "alignment"):
            return [1.0] * len(self.loss.trained)
        z, y = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in clouds)
        if self.name == "alignment":  # the chord is multiplied by α‖û - v̂‖^(α-2)
            power = min(0.0, options["power"] - 2)
            rows = np.maximum(1, np.linalg.norm(z - y, axis=-1) ** power) if power else 1.0
            return [rows, rows]
        own = y[options["labels"]]  # multiplied by cos m + cos φ sin m/sin φ
        rows = 2 / (np.linalg.norm(z - own, axis=-1) * np.linalg.norm(z + own, axis=-1))
        worst = np.ones(len(y))
        np.maximum.at(worst, options["labels"], rows)
        return [rows, worst]


def _case(name: str, steepness: float, pull: float, **options: Any) -> Case:
    shown = ",".join(f"{key}={value}" for key, value in options.items())
    return Case(LOSSES[name], options, steepness, pull, f"{name}({shown})")


_KNOWN = (
    _case("attraction", 1, 1),
    _case("repulsion", 1, 1),
    # α ‖û - v̂‖^(α-1) ≤ α 2^(α-1)
    _case("alignment", 1, 4),
    _case("alignment", 1, 1, power=1.0),
    _case("alignment", 1, 12, power=3.0),
    # exp(-t‖·‖²) = exp(2t cos)·const: 2t plays the part of 1/τ, and every pair counts in two rows.
    _case("uniformity", 4, 8),
    # 1/τ for the positive, 1/τ for all the negatives: the tight bound of theory.md, item 3.
    _case("info_nce", 5, 10),
    _case("info_nce", 5, 20, symmetric=True),
    _case("clip", 5, 10),
    _case("nt_xent", 5, 10),
    _case("decoupled", 5, 10),
    _case("decoupled", 5, 20, symmetric=True),
    _case("supcon", 5, 10),
    _case("siglip", 5, 10),
    _case("simsiam", 1, 0.5),
    _case("byol", 1, 2),
    _case("moco", 5, 10),
    _case("triplet", 1, 2),
    _case("normface", 4, 8),
    _case("cosface", 4, 8),
    _case("arcface", 4, 8),
    _case("swav", 5, 10),
    # The student has τ = 0.1; but the teacher's shares, at τ' = 0.04, are magnified more.
    _case("dino", 25, 20),
)


def _new(name: str) -> Case:
    """A loss without a bound of its own: that of InfoNCE, twice over."""
    _, options = LOSSES[name].example(np.random.default_rng(0), 4, 2)
    steepness = LOSSES[name].steepness(options)
    return _case(name, steepness, 4 * steepness)


ONLY = os.environ.get("NORMTHEORY_LOSS")
"""The one loss to test, while it is being written; None for all."""
_NEW = tuple(_new(name) for name in LOSSES if name not in {case.name for case in _KNOWN})
CASES = tuple(case for case in (*_KNOWN, *_NEW) if ONLY in (None, case.name))
ONE_EACH = tuple({case.name: case for case in CASES if not case.options}.values())

ALIKE = frozenset(
    ()
    if ONLY
    else (
        "repulsion()",
        "info_nce()",
        "info_nce(symmetric=True)",
        "decoupled()",
        "simsiam()",
        "normface()",
        "cosface()",
        "swav()",
    )
)
"""Labels of those written as another is, but for a number, a sign or a part that is left out.

The default run compiles all losses in float64, and without these once more for every other way:
in float32, in blocks, under vmap. numpy, which has nothing to compile, goes all ways with all.
"""

cases = {"argvalues": CASES, "ids": [case.label for case in CASES]}
one_each = {"argvalues": ONE_EACH, "ids": [case.name for case in ONE_EACH]}


def _near(rng: np.random.Generator, z: np.ndarray, rows: int, sign: float) -> np.ndarray:
    """Directions 1e-9 … 0.1 off those of z, or off the opposite ones."""
    z = z[np.arange(rows) % len(z)]
    tangent = nt.tangent_projection(z, rng.standard_normal(z.shape))
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    angle = 10 ** rng.uniform(-9, -1, (rows, 1))
    return sign * (np.cos(angle) * z + np.sin(angle) * tangent)


@cache
def _von_mises_fisher(seed: int, rows: int, dimension: int) -> np.ndarray:
    """Directions for up to four clouds; in one draw, for which scipy factors a matrix (d, d)."""
    rng = np.random.default_rng(seed)
    mean = nt.sphere.uniform(rng, 1, dimension)[0]
    drawn = nt.sphere.von_mises_fisher(rng, 4 * rows, mean, 4.0 * dimension)
    return drawn.reshape(4, rows, dimension)


def draw(
    case: Case, seed: int, n: int, dimension: int, spread: str = "uniform"
) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    """Clouds with norms 1e-3…1e3 and directions of one kind, and the options of the case."""
    rng = np.random.default_rng(seed)
    clouds, options = case.loss.example(rng, n, dimension)
    if case.name == "supcon" and n < 6:  # three classes would leave everybody alone
        options["labels"] = np.arange(n) // 2
    first = nt.sphere.uniform(rng, len(clouds[0]), dimension)
    found = []
    for index, cloud in enumerate(clouds):
        rows = len(cloud)
        if spread == "von_mises_fisher":
            directions = _von_mises_fisher(seed, 2 * n + 5, dimension)[index, :rows]
        elif spread == "uniform":
            directions = nt.sphere.uniform(rng, rows, dimension)
        else:
            sign = -1.0 if spread == "near_antipodal" and index else 1.0
            directions = _near(rng, first, rows, sign) if index else first
        found.append(directions * nt.sphere.log_uniform_norms(rng, rows)[:, None])
    return tuple(found), {**options, **case.options}


def error(found: Any, exact: Any, z: np.ndarray) -> np.ndarray:
    """Scale-free error ρ‖g - g_exact‖ of every row."""
    off = np.asarray(found, np.float64) - np.asarray(exact, np.float64)
    return np.linalg.norm(off, axis=-1) * np.linalg.norm(np.asarray(z, np.float64), axis=-1)
