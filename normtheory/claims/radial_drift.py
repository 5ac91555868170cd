"""Weight decay, pulls across the embedding and a steady pull along it: one norm, if any."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import derivative, reduce, square, vector, xp

_SETTLED = "the run settles to rounding; the fixed point remembers that of 1/(1 − |f'|) steps"
_FIRST_ORDER = "the error of the limit is of first order in γλ, at most 6 times γλ for D² ≤ 4.5γλs²"
SLOPE_OF_LIMIT = 6
"""Most that the limit of small γλ is off, in units of γλ, where D² ≤ 4.5γλs² or D ≥ 0."""


def next_square(
    square_norm: Any, radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any
) -> Any:
    """ρ'² = α²ρ² + 2αγD + γ²(D² + s²)/ρ²."""
    keep = 1 - learning_rate * weight_decay
    across = learning_rate**2 * (radial**2 + tangential**2) / square_norm
    return keep**2 * square_norm + 2 * keep * learning_rate * radial + across


def next_square_planted(
    square_norm: Any, radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any
) -> Any:
    """Planted: the square of the pull along the embedding forgotten."""
    keep = 1 - learning_rate * weight_decay
    across = learning_rate**2 * tangential**2 / square_norm
    return keep**2 * square_norm + 2 * keep * learning_rate * radial + across


def next_norm(
    norm: Any, radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """The square root of :func:`next_square`."""
    return xp.sqrt(next_square(norm**2, radial, tangential, learning_rate, weight_decay))


def next_norm_planted(
    norm: Any, radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """The square root of :func:`next_square_planted`."""
    return xp.sqrt(next_square_planted(norm**2, radial, tangential, learning_rate, weight_decay))


def _root(radial: Any, tangential: Any, keep: Any, xp: Any) -> Any:
    return xp.sqrt(radial**2 + (1 - keep**2) * tangential**2)


def fixed_square(
    radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """ρ*² = γ[αD + √(D² + (1−α²)s²)]/(1−α²)."""
    keep = 1 - learning_rate * weight_decay
    root = _root(radial, tangential, keep, xp)
    return learning_rate * (keep * radial + root) / (1 - keep**2)


def fixed_square_planted(
    radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """Planted: α left out beside D."""
    keep = 1 - learning_rate * weight_decay
    return learning_rate * (radial + _root(radial, tangential, keep, xp)) / (1 - keep**2)


def undecayed_square(radial: Any, tangential: Any, learning_rate: Any) -> Any:
    """ρ*² = γ(D² + s²)/(2|D|) for λ = 0 > D."""
    return learning_rate * (radial**2 + tangential**2) / (-2 * radial)


def undecayed_square_planted(radial: Any, tangential: Any, learning_rate: Any) -> Any:
    """Planted: D² dropped beside s²."""
    return learning_rate * tangential**2 / (-2 * radial)


def turn_cosine(
    radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """The cosine α + γD/ρ*², which is [αs² + D√(D² + (1−α²)s²)]/(D² + s²)."""
    keep = 1 - learning_rate * weight_decay
    root = _root(radial, tangential, keep, xp)
    return (keep * tangential**2 + radial * root) / (radial**2 + tangential**2)


def turn_cosine_planted(
    radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """Planted: α, as without a pull along the embedding."""
    return 1 - learning_rate * weight_decay + 0 * _root(radial, tangential, 0, xp)


def multiplier(radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
    """Factor of a small deviation of ρ² per step, 2α cos θ* − 1."""
    keep = 1 - learning_rate * weight_decay
    return 2 * keep * turn_cosine(radial, tangential, learning_rate, weight_decay, xp) - 1


def multiplier_planted(
    radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """Planted: 2α² − 1, as without a pull along the embedding."""
    return 2 * (1 - learning_rate * weight_decay) ** 2 - 1 + 0 * _root(radial, tangential, 0, xp)


def limit_square(
    radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """ρ*² → [D + √(D² + 2γλs²)]/(2λ) for small γλ and D²/s²."""
    root = xp.sqrt(radial**2 + 2 * learning_rate * weight_decay * tangential**2)
    return (radial + root) / (2 * weight_decay)


def limit_square_planted(
    radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any
) -> Any:
    """Planted: γλs² in place of 2γλs²."""
    root = xp.sqrt(radial**2 + learning_rate * weight_decay * tangential**2)
    return (radial + root) / (2 * weight_decay)


def scheduled_fourth(tangential: Any, peak_rate: Any, peak_decay: Any, share: Any) -> Any:
    """ρ*⁴ = γ_max s²/(λ(2 − γ_tλ_t)) with rate and decay scaled alike, D = 0."""
    return peak_rate * tangential**2 / (peak_decay * (2 - share**2 * peak_rate * peak_decay))


def scheduled_fourth_planted(tangential: Any, peak_rate: Any, peak_decay: Any, share: Any) -> Any:
    """Planted: the decay of the peak kept, so that the norm falls with the rate."""
    scaled = share * peak_rate
    return scaled * tangential**2 / (peak_decay * (2 - scaled * peak_decay))


def _fall_of_error(limit: Any) -> Any:
    """How many times nearer the limit is at half of the γλ, from measured norms."""

    def fall(
        norm_measured: Any,
        norm_at_half: Any,
        radial: Any,
        radial_at_half: Any,
        tangential: Any,
        learning_rate: Any,
        weight_decay: Any,
        xp: Any,
    ) -> Any:
        half = weight_decay / 2
        first = norm_measured**2 / limit(radial, tangential, learning_rate, weight_decay, xp) - 1
        second = norm_at_half**2 / limit(radial_at_half, tangential, learning_rate, half, xp) - 1
        return first / second

    return fall


def _residuals(
    step: Any, fixed: Any, undecayed: Any, cosine: Any, factor: Any, limit: Any, scheduled: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    gamma, s, share, a = sp.symbols("gamma s f a", positive=True)
    radial = sp.Symbol("D", real=True)
    keep = sp.Symbol("alpha", positive=True)
    decay = (1 - keep) / gamma
    for d in (2, 3):
        # −∇L = (Dẑ + ξ)/ρ of the loss −D ln‖z‖ − ⟨w, ẑ⟩, ξ = Pw, at any point.
        z, w = vector("z", d), vector("w", d)
        rho = sp.Symbol("rho", positive=True)
        roots = {rho: square(z)}
        loss = -radial * sp.log(rho) - (w * z).sum() / rho
        slope = np.array([derivative(loss, x, roots) for x in z], dtype=object)
        xi = w - (w * z).sum() / rho**2 * z
        claimed = step(rho**2, radial, s, gamma, decay).subs(s**2, square(xi))
        moved = keep * z - gamma * slope
        found[f"step, d={d}"] = reduce(sp.expand(square(moved)) - sp.expand(claimed), roots)
    # Q = √(D² + (1−α²)s²) as a symbol that knows its square.
    root = sp.Symbol("Q", positive=True)
    roots = {root: radial**2 + (1 - keep**2) * s**2}

    def closed(formula: Any) -> Any:
        value = sp.sympify(formula(radial, s, gamma, decay, xp))
        return value.replace(
            lambda e: e.is_Pow and e.exp == sp.Rational(1, 2),
            lambda e: root if sp.expand(e.base - roots[root]) == 0 else e,
        )

    q = closed(fixed)
    found["fixed point"] = reduce(step(q, radial, s, gamma, decay) - q, roots)
    right = closed(fixed_square)
    found["angle"] = reduce(keep + gamma * radial / right - closed(cosine), roots)
    at = sp.Symbol("q", positive=True)
    slope = sp.diff(next_square(at, radial, s, gamma, decay), at).subs(at, right)
    found["multiplier"] = reduce(slope - closed(factor), roots)
    size = sp.Symbol("A", positive=True)  # |D|
    pull = undecayed(-size, s, gamma)
    found["no decay"] = reduce(next_square(pull, -size, s, gamma, sp.S.Zero) - pull, {})
    # D = δ s√(2γλ): both pulls count, however small a = γλ is.
    delta = sp.Symbol("delta", real=True)
    tied = (delta * s * sp.sqrt(2 * a), s, gamma, a / gamma, xp)

    def scaled(formula: Any) -> Any:
        return sp.simplify(formula(*tied) * sp.sqrt(a) / (gamma * s))

    found["small γλ"] = sp.simplify((scaled(limit) - scaled(fixed_square)).subs(a, 0))
    lam = sp.Symbol("lambda", positive=True)
    now = fixed_square(sp.S.Zero, s, share * gamma, share * lam, xp) ** 2
    found["schedule"] = reduce(now - scheduled(s, gamma, lam, share), {})
    return found


def _border() -> dict[str, Any]:
    """Stable iff D > −αs; beyond, ρ² has a cycle of two."""
    gamma, s, keep = sp.symbols("gamma s alpha", positive=True)
    # (αs² + D√…)(αs² − D√…): for D < 0 the second factor is positive, so cos θ* > 0 iff αs > |D|,
    # and the multiplier 2α cos θ* − 1 is above −1 just there. It is below 1 always.
    root = sp.Symbol("Q", positive=True)
    along = sp.Symbol("D", real=True)
    roots = {root: along**2 + (1 - keep**2) * s**2}
    both = (keep * s**2 + along * root) * (keep * s**2 - along * root)
    claimed = (along**2 + s**2) * (keep**2 * s**2 - along**2)
    found: dict[str, Any] = {"border": reduce(both - claimed, roots)}
    # The two ways to write the fixed point; the second is that without decay where α = 1.
    outer = gamma * (keep * along + root) / (1 - keep**2)
    inner = gamma * (along**2 + s**2) / (root - keep * along)
    found["two ways to write it"] = reduce(outer - inner, roots)
    # Two values with this sum and product follow each other.
    size, q = sp.symbols("A q", positive=True)
    total, product = 2 * gamma * size / keep, gamma**2 * (size**2 + s**2) / (1 + keep**2)
    other = total - q
    after = next_square(q, -size, s, gamma, (1 - keep) / gamma)
    gap = sp.Symbol("g", positive=True)
    cycle = {gap: total**2 - 4 * product}
    value = (after - other).subs(q, (total + gap) / 2)
    found["cycle of two"] = reduce(value, cycle)
    return found


def _proof() -> dict[str, Any]:
    right = _residuals(
        next_square,
        fixed_square,
        undecayed_square,
        turn_cosine,
        multiplier,
        limit_square,
        scheduled_fourth,
    )
    return right | _border()


def _planted_proof() -> dict[str, Any]:
    return _residuals(
        next_square_planted,
        fixed_square_planted,
        undecayed_square_planted,
        turn_cosine_planted,
        multiplier_planted,
        limit_square_planted,
        scheduled_fourth_planted,
    )


def _fixed_norm(formula: Any) -> Any:
    def norm(radial: Any, tangential: Any, learning_rate: Any, weight_decay: Any, xp: Any) -> Any:
        return xp.sqrt(formula(radial, tangential, learning_rate, weight_decay, xp))

    return norm


def _undecayed_norm(formula: Any) -> Any:
    def norm(radial: Any, tangential: Any, learning_rate: Any, xp: Any) -> Any:
        return xp.sqrt(formula(radial, tangential, learning_rate))

    return norm


def _scheduled_norm(formula: Any) -> Any:
    def norm(tangential: Any, peak_rate: Any, peak_decay: Any, share: Any, xp: Any) -> Any:
        return xp.sqrt(xp.sqrt(formula(tangential, peak_rate, peak_decay, share)))

    return norm


CLAIM = Claim(
    name="radial_drift",
    title="Equilibrium with a pull along the embedding",
    meaning=r"Beside weight decay and pulls across the embedding a steady pull $D$ along it shifts "
    r"the equilibrium norm, which is reached from any start exactly if $D>-\alpha s$.",
    reason=r"The new squared norm adds the squares of its parts along and across the embedding, "
    r"which gives a quadratic equation for the fixed $\rho^2$. Beyond the border the map of "
    r"$\rho^2$ swings between two values.",
    consequence="An outward pull lengthens embeddings and makes them turn less; an inward one "
    "weaker than $s$ can replace weight decay. A decay that follows the rate keeps the norm only "
    "without such a pull.",
    statement=r"z'=\alpha z+\gamma\frac{D\hat z+\xi}{\rho},\ \xi\perp z,\ \lVert\xi\rVert=s:\quad "
    r"\rho_*^2=\gamma\frac{\alpha D+\sqrt{D^2+(1-\alpha^2)s^2}}{1-\alpha^2},\quad "
    r"\cos\theta_*=\alpha+\frac{\gamma D}{\rho_*^2},\quad "
    r"\text{stable}\iff D>-\alpha s;\qquad"
    r"\lambda=0>D:\ \rho_*^2=\frac{\gamma(D^2+s^2)}{2|D|};\qquad"
    r"\gamma\lambda\to 0:\ \rho_*^2\to\frac{D+\sqrt{D^2+2\gamma\lambda s^2}}{2\lambda};\qquad "
    r"D=0,\ \lambda_t=\lambda\frac{\gamma_t}{\gamma_{\max}}:\ "
    r"\rho_*^4=\frac{\gamma_{\max}s^2}{\lambda(2-\gamma_t\lambda_t)}",
    assumptions=(
        "α = 1 − γλ with 0 ≤ γλ < 1; steady D and s > 0; λ > 0, or λ = 0 > D",
        "the limit of small γλ: D² at most of the order of γλs², or D ≥ 0; its error is then of the"
        " order of γλ",
        "just beyond D = −αs the squared norm swings between two values with the sum 2γ|D|/α and"
        " the product γ²(D² + s²)/(1 + α²)",
        "stable means from any start: the map of ρ² is continuous, bounded below after one step,"
        " and has no cycle of two",
        "with D ≠ 0 a decay that follows the rate keeps the norm only if D follows it too",
    ),
    source="normtheory (derived here); the limit of small γλ: Su et al. 2026, seen by third party",
    item="25",
    proof=_proof,
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="norm after a step",
            measurement="radial_drift",
            quantity="next_norm",
            formula=next_norm,
            planted=next_norm_planted,
            mistake="square of the pull along the embedding forgotten",
            scale=lambda next_norm, norm, learning_rate, radial, tangential: (
                1 / (norm + learning_rate * (abs(radial) + tangential) / norm) + 0 * next_norm
            ),
            reason="rounding of the parts that the new norm is made of",
        ),
        Check(
            name="equilibrium norm",
            measurement="radial_drift",
            quantity="fixed_norm",
            formula=_fixed_norm(fixed_square),
            planted=_fixed_norm(fixed_square_planted),
            mistake="α left out beside D",
            scale=lambda fixed_norm, learning_rate, weight_decay: (
                learning_rate * weight_decay / fixed_norm
            ),
            reason=_SETTLED,
        ),
        Check(
            name="angular step at equilibrium",
            measurement="radial_drift",
            quantity="cosine",
            formula=turn_cosine,
            planted=turn_cosine_planted,
            mistake="α, as without a pull along the embedding",
            scale=lambda learning_rate, weight_decay: learning_rate * weight_decay,
            reason=_SETTLED,
        ),
        Check(
            name="equilibrium norm without decay",
            measurement="radial_drift",
            options={"undecayed": True},
            quantity="fixed_norm",
            formula=_undecayed_norm(undecayed_square),
            planted=_undecayed_norm(undecayed_square_planted),
            mistake="D² dropped beside s²",
            scale=lambda fixed_norm, radial, tangential: abs(radial) / tangential / fixed_norm,
            reason=_SETTLED,
        ),
        Check(
            name="limit of small γλ",
            measurement="radial_drift_limit",
            quantity="norm_measured",
            formula=_fixed_norm(limit_square),
            planted=_fixed_norm(
                lambda radial, tangential, learning_rate, weight_decay, xp: (
                    2 * limit_square(radial, tangential, learning_rate, weight_decay, xp)
                )
            ),
            mistake="1/λ in place of 1/(2λ)",
            scale=lambda norm_measured, learning_rate, weight_decay: (
                1 / (norm_measured * learning_rate * weight_decay)
            ),
            unit="relative",
            tolerance=SLOPE_OF_LIMIT / 2,
            reason=_FIRST_ORDER + "; of the norm half as much",
        ),
        Check(
            name="error of the limit at half of γλ",
            measurement="radial_drift_limit",
            quantity="fall",
            formula=_fall_of_error(limit_square),
            planted=_fall_of_error(limit_square_planted),
            mistake="γλs² in place of 2γλs²: an error that stays",
            unit="relative",
            tolerance=0.1,
            reason="the error is halved up to the next order in γλ = 0.02",
        ),
        Check(
            name="decay that follows the rate",
            measurement="radial_drift_schedule",
            quantity="fixed_norm",
            formula=_scheduled_norm(scheduled_fourth),
            planted=_scheduled_norm(scheduled_fourth_planted),
            mistake="decay of the peak kept",
            scale=lambda fixed_norm, learning_rate, weight_decay: (
                learning_rate * weight_decay / fixed_norm
            ),
            reason=_SETTLED,
        ),
    ),
    conditions=(
        Condition(
            name="the norm settles",
            region=r"D>-\alpha s",
            measurement="radial_drift",
            options={"outside": True},
            margin=lambda radial, tangential, learning_rate, weight_decay: (
                radial / tangential + 1 - learning_rate * weight_decay
            ),
            slack=lambda variation: 1e-6 - variation,
            counterexample="λ = 0, D = −1.2s: the squared norm swings between two values for ever",
        ),
        Condition(
            name="the limit of small γλ is off by at most 6γλ",
            region=r"D\ge-\sqrt{4.5\,\gamma\lambda}\,s",
            measurement="radial_drift_limit",
            options={"outside": True},
            margin=lambda radial, tangential, learning_rate, weight_decay, xp: (
                radial / tangential + xp.sqrt(4.5 * learning_rate * weight_decay)
            ),
            slack=lambda norm_measured, radial, tangential, learning_rate, weight_decay, xp: (
                SLOPE_OF_LIMIT * learning_rate * weight_decay
                - abs(
                    limit_square(radial, tangential, learning_rate, weight_decay, xp)
                    / norm_measured**2
                    - 1
                )
            ),
            counterexample="γλ = 0.02, D = −0.6s: the limit is a quarter too small",
            exact=False,
        ),
        Condition(
            name="a decay that follows the rate keeps the norm",
            region=r"D=0",
            measurement="radial_drift_schedule",
            options={"drifting": True},
            margin=lambda radial, tangential: 1e-3 - abs(radial) / tangential,
            slack=lambda fixed_norm, norm_at_peak: 0.05 - abs(fixed_norm / norm_at_peak - 1),
            counterexample="D = s, steady: at half of the rate and decay the norm grows by two"
            " fifths",
        ),
    ),
    implemented_by=(
        "normtheory.drift.radial_drift_norm",
        "normtheory.drift.radial_drift_cosine",
        "normtheory.drift.radial_drift_is_stable",
    ),
    shown_by=("radial_drift", "predicted"),
)
