"""Larger embeddings with a larger rate do exactly the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import ArbitraryLoss, reduce, vector

_EXACT = "α is a power of two, so that every operation scales without rounding"
_ROUNDED = "rounding of 30 steps, which interacting points magnify"


def rescaled(alpha: Any, end: Any) -> Any:
    """The run with α-fold points ends at α times the end of the first."""
    return alpha * end


def wrongly_rescaled(wrongly_rescaled: Any) -> Any:
    """Planted: the end of a run whose settings were scaled by another rule."""
    return wrongly_rescaled


def rate_factor(alpha: Any, power: Any) -> Any:
    """α^(2 − p), of SGD's rate; its inverse of the decay."""
    return alpha ** (2 - power)


def _rate_planted(alpha: Any, power: Any) -> Any:
    return alpha ** (1 - power)


def _epsilon(alpha: Any) -> Any:
    return 1 / alpha


def _kept(k: Any) -> Any:
    return sp.S.One + 0 * k


def _epsilon_planted(alpha: Any) -> Any:
    return sp.Integer(1) + 0 * alpha


#: Factors of the rate, the decay and of ε (Adagrad: of the accumulators' start G₀), by optimizer.
#: All but ``adam_l2`` decay apart from the gradient.
OPTIMIZERS: dict[str, tuple[Any, Any, Any]] = {
    "sgdw": (lambda k: k**2, lambda k: k**-2, lambda k: sp.S.One),
    "adamw": (lambda k: k, lambda k: 1 / k, lambda k: 1 / k),
    "adam_l2": (lambda k: k, lambda k: k**-2, lambda k: 1 / k),
    "lion": (lambda k: k, lambda k: 1 / k, lambda k: sp.S.One),
    "adagrad": (lambda k: k, lambda k: 1 / k, lambda k: k**-2),
    "muon": (lambda k: k, lambda k: 1 / k, lambda k: sp.S.One),
}
#: Planted: the decay of AdamW for SGD and for L2, that of SGD for the others, ε or G₀ kept.
OPTIMIZERS_PLANTED: dict[str, tuple[Any, Any, Any]] = {
    name: (rate, (lambda k: 1 / k) if name in ("sgdw", "adam_l2") else (lambda k: k**-2), _kept)
    for name, (rate, _, _) in OPTIMIZERS.items()
}
_MISTAKES = {
    "sgdw": "decay over α, as with AdamW",
    "adamw": "decay over α², as with SGD, and ε kept",
    "adam_l2": "decay over α, as with AdamW, and ε kept",
    "lion": "decay over α², as with SGD",
    "adagrad": "decay over α², as with SGD, and the accumulators' start kept",
    "muon": "decay over α², as with SGD",
}


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
        found[f"momentum, decay and GradScale, d={d}"] = loss.reduce(rerun - alpha * speed)
    # Adam, per coordinate: the moments m and n² of a gradient that shrinks by α.
    first, second, epsilon = sp.symbols("m n epsilon", positive=True)
    step = gamma * first / (second + epsilon)
    rerun = alpha * gamma * (first / alpha) / (second / alpha + epsilon_factor(alpha) * epsilon)
    found["Adam"] = reduce(rerun - alpha * step, {})
    return found


def _direction(name: str, g: np.ndarray, z: np.ndarray, k: Any, decay: Any, third: Any) -> Any:
    """An optimizer's update at points z k times as large, whose gradients are g/k.

    The memories are those of one step from the start, which is all that scales: sums of gradients
    scale by 1/k, of their squares by 1/k², whatever the weights.
    """
    # Of products, so that k and squares come out of the root.
    root = np.frompyfunc(lambda square: sp.sqrt(sp.factor(square)), 1, 1)
    g = g / k
    if name == "adam_l2":
        g = g + decay * z
    if name == "sgdw":
        return g
    if name in ("adamw", "adam_l2"):
        first, second = sp.symbols("b_1 b_2", positive=True)
        return first * g / (root(second * g**2) + third)
    if name == "lion":
        return np.frompyfunc(sp.sign, 1, 1)(g)
    if name == "adagrad":
        return g / root(third + g**2)
    # The polar factor of a matrix of two rows in the plane with positive determinant.
    (a, b), (c, d) = g.reshape(2, 2)
    factor = np.array([a + d, b - c, c - b, a + d], dtype=object)
    return factor / root((a + d) ** 2 + (b - c) ** 2)


def _of_optimizers(factors: dict[str, tuple[Any, Any, Any]]) -> dict[str, Any]:
    k, eta, decay, third = sp.symbols("k eta lambda e", positive=True)
    g, z = vector("g", 4), vector("z", 4)
    found: dict[str, Any] = {}
    for name, (of_rate, of_decay, of_third) in factors.items():

        def step(z: Any, k: Any, eta: Any, decay: Any, third: Any, name: str = name) -> Any:
            keep = 1 if name == "adam_l2" else 1 - eta * decay
            return keep * z - eta * _direction(name, g, z, k, decay, third)

        small = step(z, sp.S.One, eta, decay, third)
        large = step(k * z, k, of_rate(k) * eta, of_decay(k) * decay, of_third(k) * third)
        found[name] = [sp.cancel(a - k * b) for a, b in zip(large, small, strict=True)]
    return found


def _options(power: int = 0, adam: bool = False, **more: Any) -> dict[str, Any]:
    wrong = _rules(_rate_planted, _epsilon_planted, power, adam)
    return {
        "power": power,
        "adam": adam,
        "rules": _rules(rate_factor, _epsilon, power, adam),
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


def _optimizer(name: str, title: str) -> Check:
    right, wrong = (
        tuple(_exponent(factor) for factor in factors[name])
        for factors in (OPTIMIZERS, OPTIMIZERS_PLANTED)
    )
    return Check(
        name=f"bit-identical, {title}",
        measurement="rescaled_optimizer",
        options={"optimizer": name, "rules": right, "wrong_rules": wrong},
        quantity="rescaled",
        formula=rescaled,
        planted=wrongly_rescaled,
        mistake=_MISTAKES[name],
        scale=lambda alpha, norm_end: 1 / (alpha * norm_end),
        tolerance=0.0,
        reason=_EXACT,
    )


CLAIM = Claim(
    name="scale_theorem",
    title="Scale theorem",
    meaning=r"Embeddings $\alpha$ times as long train exactly alike if rate, decay and the "
    r"optimizer's constants are scaled along; how depends on the optimizer.",
    reason=r"The gradients of points $\alpha$ times as long are $\alpha$ times smaller. The new "
    r"settings make every step $\alpha$ times as long instead, so each later state is $\alpha$ "
    r"times that of the other run.",
    consequence=r"The scale of the start is no setting of its own: it trades for a rate, "
    r"$\alpha^2$ under SGD and $\alpha$ under Adam. Compare runs of different scale at settings "
    r"matched in this way.",
    statement=r"z\to\alpha z,\quad\gamma\to\alpha^{2-p}\gamma,\quad"
    r"\lambda\to\lambda/\alpha^{2-p}\quad\Longrightarrow\quad "
    r"z(t)\to\alpha z(t)\ \text{for all}\ t;\qquad"
    r"\text{Adam: }\gamma\to\alpha\gamma,\ \varepsilon\to\varepsilon/\alpha;\qquad "
    r"z\to kz,\ \eta\to k\eta:\ \text{AdamW }\tfrac\lambda k,\tfrac\varepsilon k,\ "
    r"\text{Adam with L2 }\tfrac\lambda{k^2},\tfrac\varepsilon k,\ "
    r"\text{Lion, Muon }\tfrac\lambda k,\ \text{Adagrad }\tfrac\lambda k,\tfrac{G_0}{k^2}",
    assumptions=(
        "any loss of directions, all points scaled",
        "SGD or heavy ball with momentum kept, weight decay in the gradient, GradScale power p",
        "the other optimizers, for z → kz, without GradScale; β's kept",
        "decay apart from the gradient (z shrinks by 1 − ηλ), but for Adam with L2",
    ),
    source="normtheory (derived here)",
    item="12.3",
    proof=lambda: _residuals(rate_factor, _epsilon) | _of_optimizers(OPTIMIZERS),
    planted_proof=lambda: (
        _residuals(_rate_planted, _epsilon_planted) | _of_optimizers(OPTIMIZERS_PLANTED)
    ),
    checks=(
        _exact("bit-identical, momentum and decay"),
        _exact("bit-identical, GradScale 1", power=1),
        _exact("bit-identical, GradScale 2", power=2),
        _exact("bit-identical, Adam", adam=True),
        _optimizer("sgdw", "SGD with momentum, decay apart from the gradient"),
        _optimizer("adamw", "AdamW"),
        _optimizer("adam_l2", "Adam with L2"),
        _optimizer("lion", "Lion"),
        _optimizer("adagrad", "Adagrad"),
        _optimizer("muon", "Muon"),
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
    implemented_by=("normtheory.invariants.rescaled_settings",),
    shown_by=("phase_diagram", "uniformity"),
)
