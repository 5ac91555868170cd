"""SGD with momentum."""

from __future__ import annotations

from normtheory._arrays import Array, check_count, check_flag, check_share, check_values, scalars
from normtheory._range import in_range
from normtheory.equilibrium._recursion import autocorrelation, check_rate_and_decay


@in_range
def momentum_norm(
    learning_rate: Array,
    weight_decay: Array,
    momentum: Array,
    mean_square_sine: Array,
    *,
    coupled: bool = False,
) -> Array:
    """Norm at which SGD with momentum and weight decay balance, for ever fresh partners.

    (E‖z‖² / E‖z‖⁻²)^(1/4), which is the norm itself where it hardly fluctuates: in many dimensions,
    or for small steps. Claim :mod:`normtheory.claims.momentum_equilibrium`.

    Args:
        learning_rate: γ > 0, of the loss as written.
        weight_decay: λ > 0 with γλ < 1.
        momentum: β in [0, 1) of v' = βv + g, undamped.
        mean_square_sine: E[s²] in (0, 1], where s/‖z‖ is the size of the gradient; (d-1)/d for
            attraction to partners uniform on the sphere of R^d.
        coupled: decay added to the gradient (``torch.optim.SGD``) instead of beside the momentum.

    Returns:
        The norm, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays; ``coupled`` is no truth value.
        ValueError: values out of range.

    Reference:
        Derived here; to leading order in γλ: Kosson et al. 2023.

    Example:
        >>> round(float(momentum_norm(0.1, 0.01, 0.9, 0.95)), 3)
        4.658
        >>> round(float(momentum_norm(0.1, 0.01, 0.9, 0.95, coupled=True)), 3)
        2.625
    """
    _, (rate, decay, beta, square) = scalars(
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        momentum=momentum,
        mean_square_sine=mean_square_sine,
    )
    check_rate_and_decay(rate, decay)
    check_share("momentum", beta)
    check_values("mean_square_sine", square, above=0.0, most=1.0)
    lost = rate * decay
    if check_flag("coupled", coupled):
        push = (1 + beta) / ((1 - beta) * (2 * (1 + beta) - lost))
    else:
        push = (1 + (1 - lost) * beta) / ((1 - beta**2) * (2 - lost) * (1 - beta + lost * beta))
    return rate**0.25 / decay**0.25 * (square * push) ** 0.25


@in_range
def momentum_cosine(
    learning_rate: Array,
    weight_decay: Array,
    momentum: Array,
    *,
    steps: int = 1,
    coupled: bool = False,
) -> Array:
    """Cosine between an embedding and itself some steps later, once SGD with momentum balances.

    E[z·z'] / E‖z‖²; (α+β)/(1+αβ) after one step, α = 1 - γλ, and 1 - γλ/(1+β) if coupled. It does
    not depend on the loss. Claim :mod:`normtheory.claims.momentum_equilibrium`.

    Args:
        learning_rate: γ > 0.
        weight_decay: λ > 0 with γλ < 1.
        momentum: β in [0, 1) of v' = βv + g.
        steps: number of steps, an integer >= 1.
        coupled: decay added to the gradient (``torch.optim.SGD``); if then γλ > (1-√β)², the
            cosine swings with the number of steps, also below 0.

    Returns:
        The cosine, broadcast shape.

    Raises:
        TypeError: not numbers or float arrays; ``coupled`` is no truth value.
        ValueError: values out of range.

    Reference:
        Derived here; to leading order in γλ: Kosson et al. 2023.

    Example:
        >>> round(float(momentum_cosine(0.1, 0.1, 0.9)), 5)
        0.99947
        >>> round(float(momentum_cosine(0.1, 0.1, 0.9, steps=100)), 5)
        0.40455
    """
    _, (rate, decay, beta) = scalars(
        learning_rate=learning_rate, weight_decay=weight_decay, momentum=momentum
    )
    check_rate_and_decay(rate, decay)
    check_share("momentum", beta)
    check_count("steps", steps, 1)
    lost = rate * decay
    if check_flag("coupled", coupled):
        return autocorrelation(1 + beta - lost, beta, int(steps))
    return autocorrelation(1 - lost + beta, (1 - lost) * beta, int(steps))
