"""Numerators of rational expressions are those of sympy, up to a factor."""

from __future__ import annotations

import pytest
import sympy as sp

from normtheory.claims._rational import numerator

A, B, C, RHO = sp.symbols("a b c rho", positive=True)
ROOTS = {RHO: A**2 + B**2}

IDENTITIES = [
    1 / (A + B) - 1 / (A - B) + 2 * B / (A**2 - B**2),
    (A / RHO) ** 2 + (B / RHO) ** 2 - 1,
    A * (B * RHO + RHO) / RHO - A * (B + 1),
    RHO**5 - RHO * (A**4 + 2 * A**2 * B**2 + B**4),
    (1 + C / RHO) ** -2 - RHO**2 / (RHO + C) ** 2,
    sp.Rational(1, 3) / (2 * A + 2 * B) - sp.Rational(1, 6) / (A + B),
    1 / (1 / A + 1 / (B + 1 / C)) - A * (B * C + 1) / (A * C + B * C + 1),
]


@pytest.mark.parametrize("identity", IDENTITIES)
def test_an_identity_is_zero_and_a_spoilt_one_is_not(identity: sp.Expr) -> None:
    assert numerator(identity, ROOTS) == 0
    twice = identity + identity.args[0]  # a part of it
    for spoilt in (identity + C, twice, identity + RHO):
        assert numerator(spoilt, ROOTS) != 0


@pytest.mark.parametrize(
    "expression",
    [
        A / (A + B) + C / (2 * A * (A + B)) - 3,
        (A + C / B) ** 3 / (A - C) - B / (A - C) ** 2,
        (A * B / (C * (B + C))) * (B + C) / B**2,
        A / B / C - C / (A / 2 + C),
    ],
)
def test_a_numerator_is_that_of_the_whole_fraction(expression: sp.Expr) -> None:
    over = sp.cancel(numerator(expression, {}) / expression)
    assert over != 0
    # What the fraction was multiplied by: denominators, and nothing over them.
    assert over.is_polynomial()


def test_a_square_may_be_a_fraction() -> None:
    roots = {RHO: A / (B + 1)}
    assert numerator(RHO**4 * (B + 1) ** 2 - A**2, roots) == 0
    assert numerator(RHO**3 - RHO * A / (B + 1), roots) == 0
    assert numerator(RHO**2 + RHO**4 - A * (A + B + 1) / (B + 1) ** 2, roots) == 0
    assert numerator(RHO**2 + RHO**4 - A * (A + B) / (B + 1) ** 2, roots) != 0


@pytest.mark.parametrize(
    "other", [sp.sin(A), sp.sqrt(A), (A + B) ** C, A ** (B / 2), sp.exp(RHO), sp.E, sp.pi, sp.I]
)
def test_what_is_not_rational_is_left_to_others(other: sp.Expr) -> None:
    assert numerator(other + B, ROOTS) is None


def test_powers_with_symbols_in_their_exponents_are_symbols() -> None:
    power = RHO ** (2 * C - 1)
    assert numerator(power * RHO - (RHO**C) ** 2, ROOTS) == 0
    assert numerator(power * RHO**3 / (A**2 + B**2) - (RHO**C) ** 2, ROOTS) == 0
    assert numerator(power - RHO**C, ROOTS) != 0
    assert numerator(sp.exp(A * (B + 2 * C)) - sp.exp(A * B) / sp.exp(-A * C) ** 2, {}) == 0
    assert numerator(sp.exp(A * (B + 2 * C)) - sp.exp(A * B) * sp.exp(A * C), {}) != 0
    # By name, as they were.
    assert sp.expand(numerator(A ** (B + 1) + C, {}) - A * A**B - C) == 0


def test_a_division_by_zero_is_told() -> None:
    with pytest.raises(ZeroDivisionError, match="expected no expression over 0"):
        numerator(C / ((A + B) ** 2 - A**2 - 2 * A * B - B**2), {})
