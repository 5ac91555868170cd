"""sympy helpers of the proofs: explicit components, norms as symbols, exact reduction.

Derivatives with respect to a sympy ``MatrixSymbol`` come back wrong (sympy 1.14), and ``simplify``
on square roots takes minutes. So vectors are arrays of real component symbols, and a norm is a
positive symbol ρ that knows its square: dρ/dz_i = z_i/ρ, and residuals are reduced modulo
ρ² − Σ z_i². The same device serves s = sin φ with s² = 1 − c². Call such symbols *roots*; they are
kept in a mapping from the symbol to the expression of its square.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from normtheory.claims import _rational as rational

Roots = Mapping[Any, Any]


def _elementwise(function: Any, arguments: int) -> Any:
    return np.frompyfunc(function, arguments, 1)


#: Stand-in for numpy in formulas that take a namespace ``xp``; works on expressions and on arrays.
xp = SimpleNamespace(
    sqrt=_elementwise(sp.sqrt, 1),
    exp=_elementwise(sp.exp, 1),
    log=_elementwise(sp.log, 1),
    sin=_elementwise(sp.sin, 1),
    cos=_elementwise(sp.cos, 1),
    tan=_elementwise(sp.tan, 1),
    arctan=_elementwise(sp.atan, 1),
    arctan2=_elementwise(sp.atan2, 2),
    arccos=_elementwise(sp.acos, 1),
    arcsin=_elementwise(sp.asin, 1),
    pi=sp.pi,
)


def vector(name: str, d: int) -> np.ndarray:
    """Components ``name1 … named`` as real symbols, shape (d,)."""
    return np.array(sp.symbols(f"{name}1:{d + 1}", real=True), dtype=object)


def square(z: np.ndarray) -> sp.Expr:
    """Sum of the squared components."""
    return sum((component**2 for component in z), sp.Integer(0))


def entries(value: Any) -> list[sp.Expr]:
    """All scalar expressions in nested lists, arrays and matrices, flattened."""
    if isinstance(value, Mapping):
        return [e for part in value.values() for e in entries(part)]
    if isinstance(value, np.ndarray):
        return [e for part in value.ravel() for e in entries(part)]
    if isinstance(value, sp.MatrixBase):
        return list(value.flat())
    if isinstance(value, list | tuple):
        return [e for part in value for e in entries(part)]
    return [sp.sympify(value)]


def derivative(expression: Any, x: Any, roots: Roots, definitions: Roots | None = None) -> Any:
    """Total derivative with respect to the component ``x``.

    Args:
        expression: Expression in components, roots and defined symbols.
        x: The component symbol.
        roots: Roots and their squares; each contributes through d root/dx = (d square/dx)/(2 root).
        definitions: Symbols that stand for expressions in components and roots (directions u_i that
            stand for z_i/ρ), followed by the chain rule.
    """
    expression = sp.sympify(expression)
    total = expression.diff(x)
    for root, squared in roots.items():
        total += expression.diff(root) * sp.diff(squared, x) / (2 * root)
    for symbol, meaning in (definitions or {}).items():
        total += expression.diff(symbol) * derivative(meaning, x, roots)
    return total


def gradient(
    expression: Any, z: np.ndarray, roots: Roots, definitions: Roots | None = None
) -> np.ndarray:
    """Total derivatives with respect to the components of ``z``, shape (d,)."""
    return np.array([derivative(expression, x, roots, definitions) for x in z], dtype=object)


def reduce(expression: Any, roots: Roots, definitions: Roots | None = None) -> Any:
    """Numerator of an expression modulo root² = square: 0 exactly if the expression is 0.

    Arrays are reduced entry by entry. Unknown functions and their derivatives count as independent
    symbols, which is what makes a zero hold for every function.
    """
    if isinstance(expression, np.ndarray | list | tuple):
        return np.array([reduce(e, roots, definitions) for e in entries(expression)], dtype=object)
    expression = sp.sympify(expression)
    unknown = [*expression.atoms(sp.Derivative), *expression.atoms(AppliedUndef)]
    expression = expression.xreplace({e: sp.Dummy() for e in unknown})
    if definitions:
        expression = expression.xreplace(dict(definitions))
    found = rational.numerator(expression, roots)
    if found is not None:
        return found
    numerator = sp.expand(sp.fraction(sp.together(expression))[0])
    for root, squared in roots.items():
        if not numerator.has(root):
            continue
        reduced = sum(
            coefficient * squared ** (power // 2) * root ** (power % 2)
            for (power,), coefficient in sp.Poly(numerator, root).terms()
        )
        if sp.fraction(sp.together(squared))[1] != 1:
            reduced = sp.fraction(sp.together(reduced))[0]
        numerator = sp.expand(reduced)
    return numerator


@dataclass(frozen=True)
class ArbitraryLoss:
    """An arbitrary smooth function ℓ(û_1, …, û_n) of the directions of n points.

    Attributes:
        points: One array of component symbols, shape (d,), for each point.
        norms: One positive symbol for each point.
        directions: Symbols that stand for the components z_i/ρ, the arguments of ℓ.
    """

    points: tuple[np.ndarray, ...]
    norms: tuple[sp.Symbol, ...]
    directions: tuple[np.ndarray, ...]

    @classmethod
    def create(cls, d: int, n: int = 1) -> ArbitraryLoss:
        """Symbols for n points in d dimensions."""
        names = "zyxw"[:n]
        return cls(
            tuple(vector(name, d) for name in names),
            tuple(sp.Symbol(f"rho_{name}", positive=True) for name in names),
            tuple(vector(f"u_{name}", d) for name in names),
        )

    @cached_property
    def value(self) -> sp.Expr:
        """ℓ as an unknown sympy function of all direction components."""
        return sp.Function("ell")(*[u for direction in self.directions for u in direction])

    @cached_property
    def roots(self) -> Roots:
        """The norms and their squares."""
        return {rho: square(z) for rho, z in zip(self.norms, self.points, strict=True)}

    @cached_property
    def definitions(self) -> Roots:
        """What the direction symbols stand for."""
        return {
            u: component / rho
            for z, rho, direction in zip(self.points, self.norms, self.directions, strict=True)
            for component, u in zip(z, direction, strict=True)
        }

    def slope(self, k: int = 0) -> np.ndarray:
        """∇ℓ with respect to the direction of point k: plain partial derivatives, shape (d,)."""
        return np.array([self.value.diff(u) for u in self.directions[k]], dtype=object)

    def gradient(self, k: int = 0) -> np.ndarray:
        """∇L with respect to point k, by the chain rule through z/ρ, shape (d,)."""
        return self.differentiate(self.value, k)

    def differentiate(self, expression: Any, k: int = 0) -> np.ndarray:
        """Total derivatives of an expression with respect to point k, shape (d,)."""
        return gradient(expression, self.points[k], self.roots, self.definitions)

    def reduce(self, expression: Any) -> Any:
        """:func:`reduce` with this loss's norms and directions."""
        return reduce(expression, self.roots, self.definitions)

    def rescale(self, expression: Any, factor: Any) -> Any:
        """The expression at factor·z, factor > 0: norms follow, directions stay (z/ρ is kept)."""
        change = {z: factor * z for point in self.points for z in point}
        change |= {rho: factor * rho for rho in self.norms}
        if isinstance(expression, np.ndarray):
            return np.array([e.xreplace(change) for e in expression], dtype=object)
        return sp.sympify(expression).xreplace(change)
