"""Heavy ball on a pair: faster by 1/(1 − α), until momentum alone sets the pace."""

from __future__ import annotations

from typing import Any

import sympy as sp

from normtheory.claims._claim import Check, Claim
from normtheory.claims._symbolic import xp


def third_angle(first: Any, second: Any, x: Any, momentum: Any) -> Any:
    """φ'' = (1 + α − 2x)φ' − αφ near alignment, x the mean of γ/ρ² over the two points."""
    return (1 + momentum - 2 * x) * second - momentum * first


def third_angle_planted(first: Any, second: Any, x: Any, momentum: Any) -> Any:
    """Planted: one point of the pair at rest."""
    return (1 + momentum - x) * second - momentum * first


def crossover(momentum: Any, xp: Any) -> Any:
    """Effective rate x = (1 − √α)²/2, above which every pair contracts by √α a step."""
    return (1 - xp.sqrt(momentum)) ** 2 / 2


def crossover_planted(momentum: Any, xp: Any) -> Any:
    """Planted: α for √α."""
    return (1 - momentum) ** 2 / 2 + 0 * xp.sqrt(momentum)


def limit_of_stability(momentum: Any) -> Any:
    """Effective rate x = 1 + α."""
    return 1 + momentum


def limit_planted(momentum: Any) -> Any:
    """Planted: that of plain SGD."""
    return 1 + 0 * momentum


def speed_up(momentum: Any) -> Any:
    """1/(1 − α), the factor on the contraction of small steps."""
    return 1 / (1 - momentum)


def speed_up_planted(momentum: Any) -> Any:
    """Planted: the factor of the squared displacement."""
    return 1 / (1 - momentum) ** 2


def equilibrium_fourth(
    learning_rate: Any, weight_decay: Any, momentum: Any, mean_square_sine: Any
) -> Any:
    """ρ*⁴ = γE[s²]/(2λ(1 − α)), for decay in the gradient and fresh partners."""
    return learning_rate * mean_square_sine / (2 * weight_decay * (1 - momentum))


def equilibrium_fourth_planted(
    learning_rate: Any, weight_decay: Any, momentum: Any, mean_square_sine: Any
) -> Any:
    """Planted: momentum left out."""
    return equilibrium_fourth(learning_rate, weight_decay, 0 * momentum, mean_square_sine)


def equilibrium_turn(learning_rate: Any, weight_decay: Any, momentum: Any, xp: Any) -> Any:
    """√(2γλ/(1 + α)), the root mean square angle of a step there."""
    return xp.sqrt(2 * learning_rate * weight_decay / (1 + momentum))


def equilibrium_turn_planted(learning_rate: Any, weight_decay: Any, momentum: Any, xp: Any) -> Any:
    """Planted: momentum left out."""
    return equilibrium_turn(learning_rate, weight_decay, 0 * momentum, xp)


def _pair(
    third: Any, crossing: Any, limit: Any, faster: Any, balance: Any, turn: Any
) -> dict[str, Any]:
    a, x, mu = sp.symbols("alpha x mu", positive=True)
    # Near alignment: each point turns by v with v' = αv + x_iφ, and the angle closes by both.
    phi, v, w, apart = sp.symbols("phi v w delta", real=True)
    x_i, x_j = x + apart, x - apart
    v_1, w_1 = a * v + x_i * phi, a * w + x_j * phi
    phi_1 = phi - v_1 - w_1
    phi_2 = phi_1 - (a * v_1 + x_i * phi_1) - (a * w_1 + x_j * phi_1)
    found = {"recursion": sp.expand(phi_2 - third(phi, phi_1, x, a))}
    polynomial = mu**2 - third(0, mu, x, a) - third(1, 0, x, a)
    found["product of the roots is α: |μ| = √α where they are complex"] = sp.expand(
        polynomial.subs(mu, 0) - a
    )
    found["double root at the crossover"] = sp.simplify(
        sp.discriminant(polynomial, mu).subs(x, crossing(a, xp))
    )
    found["root −1 at the limit of stability"] = sp.expand(
        polynomial.subs(mu, -1).subs(x, limit(a))
    )
    # The slow root is 1 − 2x·(speed-up) to first order: the polynomial vanishes to first order.
    slow = polynomial.subs(mu, 1 - 2 * x * faster(a))
    found["small steps"] = sp.simplify(sp.diff(slow, x).subs(x, 0))
    # Balance to leading order in γλ: V = E‖v‖² and c = E z·v are stationary, and so is E ρ².
    gamma, lam, rho, s2 = sp.symbols("gamma lambda rho s2", positive=True)
    size = gamma**2 * s2 / rho**2 / (1 - a**2)
    inner = sp.Symbol("c")
    drift = gamma * lam * rho**2
    along = sp.solve(sp.Eq(inner, a * inner + size - drift), inner)[0]
    change = sp.together((2 * a * along - 2 * drift + size) * rho**2)
    fourth = balance(gamma, lam, a, s2)
    found["equilibrium norm"] = sp.simplify(change.subs(rho, sp.root(fourth, 4)))
    turned = (size / rho**2).subs(rho, sp.root(equilibrium_fourth(gamma, lam, a, s2), 4))
    found["equilibrium turn"] = sp.simplify(turned - turn(gamma, lam, a, xp) ** 2)
    return found


CLAIM = Claim(
    name="optimizers",
    title="Heavy ball on a pair",
    meaning=r"Heavy-ball momentum speeds a pair up by $1/(1-\alpha)$ while the effective rate is "
    r"tiny. Above $x=(1-\sqrt\alpha)^2/2$ momentum alone sets the pace, a factor $\sqrt\alpha$ a "
    r"step.",
    reason=r"Near alignment the angle obeys a linear recursion of second order, whose larger root "
    r"is the pace. Small rates leave it real; beyond the crossover the roots are complex, with "
    r"product $\alpha$.",
    consequence=r"At $\alpha=0.9$ the crossover is at $x=0.0013$: above it a shorter embedding or "
    r"a larger rate no longer speeds up the approach, and $x$ must stay below $1+\alpha$.",
    statement=r"\varphi''=(1+\alpha-2x)\varphi'-\alpha\varphi,\quad 2x=x_i+x_j:\qquad "
    r"\text{rate}\ \frac{2x}{1-\alpha}\ \ \Bigl(x\ll\tfrac{(1-\sqrt\alpha)^2}{2}\Bigr),\quad "
    r"\lvert\mu\rvert=\sqrt\alpha\ \text{above},\quad\text{stable iff}\ x<1+\alpha,\qquad "
    r"\rho_*^4=\frac{\gamma\,\mathrm{E}[s^2]}{2\lambda(1-\alpha)},\quad "
    r"\text{angular step}\ \sqrt{\frac{2\gamma\lambda}{1+\alpha}}",
    assumptions=(
        "v' = αv − γ∇L, z' = z + v', x_i = γ/ρ_i²",
        "first line: near alignment",
        "second line: decay λz in the gradient, fresh partners, leading order in γλ",
    ),
    source="normtheory (derived here)",
    item="15",
    proof=lambda: _pair(
        third_angle, crossover, limit_of_stability, speed_up, equilibrium_fourth, equilibrium_turn
    ),
    planted_proof=lambda: {
        key: value
        for key, value in _pair(
            third_angle_planted,
            crossover_planted,
            limit_planted,
            speed_up_planted,
            equilibrium_fourth_planted,
            equilibrium_turn_planted,
        ).items()
        # True of the planted recursion too.
        if not key.startswith("product")
    },
    checks=(
        Check(
            name="third angle",
            measurement="heavy_ball_pair",
            quantity="third",
            formula=third_angle,
            planted=third_angle_planted,
            mistake="one point at rest",
            scale=lambda size: 1 / size,
            tolerance=1e-7,
            unit="relative",
            reason="angles of 1e-7 to 1e-5, known to eps: nine digits at the least",
        ),
        Check(
            name="crossover",
            measurement="heavy_ball_spectrum",
            quantity="crossover",
            formula=crossover,
            planted=crossover_planted,
            mistake="α for √α",
            scale=lambda momentum: 1 + 0 * momentum,
            tolerance=1e-9,
            unit="relative",
            reason="found by bisection where two roots meet, to the root of rounding",
        ),
        Check(
            name="limit of stability",
            measurement="heavy_ball_spectrum",
            quantity="limit",
            formula=limit_of_stability,
            planted=limit_planted,
            mistake="that of plain SGD",
            tolerance=1e-10,
            unit="relative",
            reason="found by bisection: rounding",
        ),
        Check(
            name="speed-up of small steps",
            measurement="heavy_ball_spectrum",
            quantity="speed_up",
            formula=speed_up,
            planted=speed_up_planted,
            mistake="the factor of the squared displacement",
            tolerance=1e-4,
            unit="relative",
            reason="to first order in x, which is 1e-5 of the crossover",
        ),
        Check(
            name="fourth power of the equilibrium norm",
            measurement="heavy_ball_decay",
            quantity="fourth_power",
            formula=equilibrium_fourth,
            planted=equilibrium_fourth_planted,
            mistake="momentum left out",
            tolerance=0.04,
            unit="relative",
            reason="an average over draws: standard error 0.4 %; to leading order in γλ = 0.01",
        ),
        Check(
            name="angular step",
            measurement="heavy_ball_decay",
            quantity="turn",
            formula=equilibrium_turn,
            planted=equilibrium_turn_planted,
            mistake="momentum left out",
            tolerance=0.03,
            unit="relative",
            reason="an average over draws, to leading order in γλ = 0.01",
        ),
    ),
    implemented_by=(
        "normtheory.stability.contraction",
        "normtheory.stability.largest_rate",
        "normtheory.stability.fastest_rate",
    ),
    shown_by=("optimizers",),
)
