"""Expressions in roots, reduced where they are no quotients of polynomials."""

from __future__ import annotations

import pytest
import sympy as sp

from normtheory.claims._rational import numerator
from normtheory.claims._symbolic import reduce

A, B, C, RHO, S = sp.symbols("a b c rho s", positive=True)
SQUARE = A**2 + B**2
ROOTS = {RHO: SQUARE, S: 1 - C**2}

#: What makes an expression no quotient of polynomials.
OTHERS = (sp.log(B), sp.sin(A), sp.sqrt(A + B))


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (RHO**2, SQUARE),
        (RHO**3, SQUARE * RHO),
        (RHO**4 + RHO**5, SQUARE**2 * (1 + RHO)),
        (RHO * S**3, RHO * S * (1 - C**2)),
        (RHO / 3 + S**2 / RHO, RHO**2 + 3 * (1 - C**2)),  # the numerator over 3ρ, its square taken
    ],
)
def test_an_even_power_of_a_root_is_a_power_of_its_square_and_an_odd_one_keeps_the_root(
    expression: sp.Expr, expected: sp.Expr, other: sp.Expr
) -> None:
    assert numerator(other * expression, ROOTS) is None
    assert reduce(other * expression, ROOTS) == sp.expand(
        other * expected.xreplace({RHO**2: SQUARE})
    )


def test_the_square_of_a_root_may_be_a_fraction() -> None:
    roots = {RHO: A / (B + 1)}
    assert reduce(sp.log(C) * (RHO**3 * (B + 1) - RHO * A), roots) == 0
    assert reduce(sp.log(C) * (RHO**3 * (B + 1) - A), roots) != 0
