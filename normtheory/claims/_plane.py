"""A pair in the plane, moved by one step that is differentiated in explicit components.

Whatever d is, both gradients of a cosine lie in the plane of the pair, so nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._arithmetic import dot
from normtheory.claims._symbolic import Roots, gradient, reduce, square, vector


def cross(a: Any, b: Any) -> Any:
    """a_1 b_2 − a_2 b_1."""
    return a[0] * b[1] - a[1] * b[0]


@dataclass(frozen=True)
class PlanePair:
    """z_i = (ρ_i, 0), z_j = ρ_j (c, s), moved by one step on ∓cos.

    Attributes:
        keep: The factor 1 − γλ of weight decay, as an expression.
        power: GradScale power p.
        sign: 1 for attraction, −1 for repulsion.
        one_sided: Stop-gradient on j.
    """

    keep: Any = sp.S.One
    power: Any = sp.S.Zero
    sign: int = 1
    one_sided: bool = False

    norm_i = sp.Symbol("rho_i", positive=True)
    norm_j = sp.Symbol("rho_j", positive=True)
    rate = sp.Symbol("gamma", positive=True)
    c = sp.Symbol("c", real=True)
    s = sp.Symbol("s", positive=True)

    @property
    def roots(self) -> Roots:
        """s² = 1 − c²."""
        return {self.s: 1 - self.c**2}

    @property
    def x_i(self) -> Any:
        """Effective rate of point i, γρ_i^(p−2)."""
        return self.rate * self.norm_i ** (self.power - 2)

    @property
    def x_j(self) -> Any:
        """Effective rate of point j, 0 if it is frozen."""
        return sp.Integer(0) if self.one_sided else self.rate * self.norm_j ** (self.power - 2)

    @cached_property
    def stepped(self) -> tuple[np.ndarray, np.ndarray]:
        """Both points after the step, each of shape (2,)."""
        z, y = vector("z", 2), vector("y", 2)
        roots = {self.norm_i: square(z), self.norm_j: square(y)}
        loss = -self.sign * dot(z, y)[0] / (self.norm_i * self.norm_j)
        start = (
            (z, self.norm_i, np.array([self.norm_i, 0 * self.norm_i], dtype=object)),
            (y, self.norm_j, np.array([self.norm_j * self.c, self.norm_j * self.s], dtype=object)),
        )
        where = {
            symbol: value for old, _, at in start for symbol, value in zip(old, at, strict=True)
        }
        moved = []
        for old, norm, at in start:
            slope = np.array([g.subs(where) for g in gradient(loss, old, roots)], dtype=object)
            moved.append(self.keep * at - self.rate * norm**self.power * slope)
        return moved[0], start[1][2] if self.one_sided else moved[1]

    def reduce(self, expression: Any) -> Any:
        """Reduce modulo s² = 1 − c²."""
        return reduce(expression, self.roots)
