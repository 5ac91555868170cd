"""Larger embeddings with a larger rate do exactly the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import ArbitraryLoss, vector

_EXACT = "α is a power of two, so that every operation scales without rounding"
_ROUNDED = "rounding of 30 steps, which interacting points magnify"


def rescaled(alpha: Any, end: Any) -> Any:
    """The run with α-fold points ends at α times the end of the first."""
    return alpha * end


def wrongly_rescaled(wrongly_rescaled: Any) -> Any:
    """Planted: the end of a run whose settings were scaled by another rule."""
    return wrongly_rescaled


def _rate(alpha: Any, power: Any) -> Any:
    return alpha ** (2 - power)


def _rate_planted(alpha: Any, power: Any) -> Any:
    return alpha ** (1 - power)


def _epsilon(alpha: Any) -> Any:
    return 1 / alpha


def _epsilon_planted(alpha: Any) -> Any:
    return sp.Integer(1) + 0 * alpha


def _exponent(factor: Any) -> float:
    """The power of α that a factor is."""
    return float(sp.log(sp.sympify(factor(sp.Integer(2))), 2))


def _rules(rate: Any, epsilon: Any, power: float, adam: bool) -> tuple[float, float]:
    """Exponents of α for the rate and for the decay (with Adam for ε), as the proof has them."""
    if adam:
        return 1.0, _exponent(epsilon)
    of_rate = _exponent(lambda alpha: rate(alpha, sp.Rational(power)))
    return of_rate, -of_rate


def _residuals(rate_factor: Any, epsilon_factor: Any) -> dict[str, Any]:
    alpha, gamma, decay, momentum = sp.symbols("alpha gamma lambda beta", positive=True)
    power = sp.Symbol("p", real=True)
    # ρ^p as a symbol of its own: it becomes α^p ρ^p.
    norm_power = sp.Symbol("rho_p", positive=True)
    found: dict[str, Any] = {}
    for d in (2, 3):
        loss = ArbitraryLoss.create(d)
        z, v, gradient = loss.points[0], vector("v", d), loss.gradient()

        def new_speed(z: Any, v: Any, gradient: Any, scale: Any, rate: Any, lam: Any) -> Any:
            return momentum * v - rate * (scale * gradient + lam * z)

        speed = new_speed(z, v, gradient, norm_power, gamma, decay)
        factor = rate_factor(alpha, power)
        rerun = new_speed(
            alpha * z,
            alpha * v,
            loss.rescale(gradient, alpha),
            alpha**power * norm_power,
            factor * gamma,
            decay / factor,
        )
        residual = [sp.powsimp(sp.expand(a - alpha * b)) for a, b in zip(rerun, speed, strict=True)]
        found[f"momentum, decay and GradScale, d={d}"] = loss.reduce(
            np.array(residual, dtype=object)
        )
    # Adam, per coordinate: the moments m and n² of a gradient that shrinks by α.
    first, second, epsilon = sp.symbols("m n epsilon", positive=True)
    step = gamma * first / (second + epsilon)
    rerun = alpha * gamma * (first / alpha) / (second / alpha + epsilon_factor(alpha) * epsilon)
    found["Adam"] = sp.simplify(rerun - alpha * step)
    return found


def _options(power: int = 0, adam: bool = False, **more: Any) -> dict[str, Any]:
    wrong = _rules(_rate_planted, _epsilon_planted, power, adam)
    return {
        "power": power,
        "adam": adam,
        "rules": _rules(_rate, _epsilon, power, adam),
        "wrong_rules": wrong if adam else (wrong[0], 0.0),
        **more,
    }


def _exact(name: str, **options: Any) -> Check:
    return Check(
        name=name,
        measurement="rescaled_run",
        options=_options(**options),
        quantity="rescaled",
        formula=rescaled,
        planted=wrongly_rescaled,
        mistake="rate scaled by one power of α too few, decay (or ε) kept",
        scale=lambda alpha, norm_end: 1 / (alpha * norm_end),
        tolerance=0.0,
        reason=_EXACT,
    )


CLAIM = Claim(
    name="scale_theorem",
    title="Scale theorem",
    statement=r"z\to\alpha z,\quad\gamma\to\alpha^{2-p}\gamma,\quad"
    r"\lambda\to\lambda/\alpha^{2-p}\quad\Longrightarrow\quad "
    r"z(t)\to\alpha z(t)\ \text{for all}\ t;\qquad"
    r"\text{Adam: }\gamma\to\alpha\gamma,\ \varepsilon\to\varepsilon/\alpha",
    assumptions=(
        "any loss of directions, all points scaled",
        "SGD or heavy ball with momentum kept, weight decay in the gradient, GradScale power p",
        "Adam without weight decay and GradScale",
    ),
    source="normtheory (derived here)",
    item="12.3",
    proof=lambda: _residuals(_rate, _epsilon),
    planted_proof=lambda: _residuals(_rate_planted, _epsilon_planted),
    checks=(
        _exact("bit-identical, momentum and decay"),
        _exact("bit-identical, GradScale 1", power=1),
        _exact("bit-identical, GradScale 2", power=2),
        _exact("bit-identical, Adam", adam=True),
        Check(
            name="any factor, momentum and decay",
            measurement="rescaled_run",
            options=_options(powers_of_two=False),
            quantity="rescaled",
            formula=rescaled,
            planted=wrongly_rescaled,
            mistake="rate scaled by one power of α too few, decay kept",
            scale=lambda alpha, norm_end: 1 / (alpha * norm_end),
            unit="relative",
            tolerance=1e-10,
            reason=_ROUNDED,
        ),
    ),
)
