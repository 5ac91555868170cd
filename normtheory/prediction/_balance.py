"""Where weight decay and steps balance, by optimizer: the norm, the turn, and how soon.

One object an optimizer, for embeddings that have a fresh gradient in every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from normtheory._types import Array
from normtheory.equilibrium import (
    adam_cosine,
    adam_norm,
    adamw_cosine,
    adamw_norm,
    equilibrium_norm,
    lion_cosine,
    lion_norm,
    momentum_cosine,
    momentum_norm,
)
from normtheory.prediction._row import joined
from normtheory.prediction._setting import Setting

_MANY = 64  # dimensions from which the limit of many is good to 1 %


class NoTheoryError(ValueError):
    """A combination for which no closed form is known; the message is the reason."""


@dataclass(frozen=True)
class Balance:
    """An equilibrium.

    Attributes:
        norm: ρ*.
        cosine: of an embedding with itself so many steps later, there.
        shrinks: −ln of what is left, after a step, of an embedding without new gradients.
        power: q, where ρ^q goes to its end exponentially; None for Adam with L2, where none does.
        formula: of the norm, in words.
        claim: that states it.
        validity: of norm and cosine.
        warning: why they do not apply, or "".
        known_course: whether the way there is known too.
    """

    norm: float
    cosine: Callable[[int], float]
    shrinks: float
    power: float | None
    formula: str
    claim: str
    validity: str
    warning: str = ""
    known_course: bool = True

    @property
    def relaxation(self) -> float:
        """Steps in which a small distance from ρ* falls to the e-th part."""
        return 1 / ((3 if self.power is None else self.power) * self.shrinks)

    def steps(self, norm: Array, within: float) -> Array:
        """Steps from a norm until it is within a share of ρ*; 0 where it is."""
        start = np.asarray(norm) / self.norm
        end = np.clip(start, 1 - within, 1 + within)
        if self.power is None:
            found = (_course(end) - _course(start)) / self.shrinks  # NaN at ρ* itself
        else:
            apart, left = np.expm1(self.power * np.log([start, end]))
            inside = start == end
            ratio = np.where(inside, 1.0, apart / np.where(inside, 1.0, left))
            found = np.log(ratio) / (self.power * self.shrinks)
        return np.where(start == end, 0.0, found)

    def stale(self, norm: Array, steps: int) -> Array:
        """Cosine of an embedding of a norm with itself some steps later, on the way to ρ*.

        z·z' falls with decay, but for what the momentum still brings, which is in the cosine of the
        equilibrium and goes as the squared step; the norm goes its way.
        """
        assert self.power is not None
        kept = math.exp(-self.shrinks * steps)
        away = (self.norm / np.asarray(norm)) ** self.power
        stretch = (1 - (1 - away) * (1 - kept**self.power)) ** (1 / self.power)
        return (kept + away * (self.cosine(steps) - kept)) / stretch


def _course(u: Array) -> Array:
    """Time of Adam with L2 at u = ρ/ρ*, in units of 1/κ: u' = 1/u − u², ∫ u/(1 − u³) du."""
    return (
        np.log(1 + u + u * u) / 6
        - np.log(np.abs(1 - u)) / 3
        - np.arctan((2 * u + 1) / math.sqrt(3)) / math.sqrt(3)
    )


def balance(run: Setting) -> Balance:
    """The equilibrium of a run with weight decay.

    Raises:
        NoTheoryError: none is known for it, or there is none.
    """
    if run.weight_decay == 0:
        raise NoTheoryError("none without weight decay: norms grow for ever")
    if run.gradscale >= 2:
        raise NoTheoryError("none with GradScale of power 2 or more: no norm is in equilibrium")
    if run.gradscale and run.optimizer != "sgd":
        raise NoTheoryError(f"no closed form is known for {run.optimizer} with GradScale")
    if run.adaptive and run.dimension is None:
        raise NoTheoryError(f"needs the dimension: a step of {run.optimizer} has length η√d")
    return _BALANCES[run.optimizer](run)


def _sgd(run: Setting) -> Balance:
    rate, decay, square = run.fresh
    power = 4 - 2 * run.gradscale
    return Balance(
        float(equilibrium_norm(rate, decay, square, gradscale=run.gradscale)),
        lambda k: (1 - run.lost) ** k,
        -math.log1p(-run.lost),
        power,
        f"{run.size_in_words}: ρ^(4-2p) = γE[sin²φ]/(λ(2-γλ))",
        "weight_decay",
        "free embeddings whose gradients are fresh and of one size; not a pair left to itself",
    )


def _momentum(run: Setting) -> Balance:
    rate, decay, square = run.fresh
    beta, coupled = run.numbers["momentum"], run.numbers["coupled"]
    keep = 1 - run.lost
    if coupled:
        middle = (1 + beta - run.lost) / 2
        apart = middle**2 - beta
        keep = middle + math.sqrt(apart) if apart > 0 else math.sqrt(beta)
    swings = coupled and run.lost > (1 - math.sqrt(beta)) ** 2
    return Balance(
        float(momentum_norm(rate, decay, beta, square, coupled=coupled)),
        lambda k: float(
            momentum_cosine(run.learning_rate, run.weight_decay, beta, steps=k, coupled=coupled)
        ),
        -math.log(keep),
        4.0,
        f"{run.size_in_words}, decay {'in the gradient' if coupled else 'beside the momentum'}: "
        "ρ⁴ ≈ γE[sin²φ]/(2λ(1-β)), whole in ηλ",
        "momentum_equilibrium",
        "free embeddings with fresh gradients; exact for the ratio E‖z‖²/E‖z‖⁻², the norm itself "
        "in many dimensions",
        "ηλ > (1-√β)²: embeddings swing back and forth, and the norm with them" if swings else "",
    )


def _few(run: Setting) -> str:
    """The warning of a limit of many dimensions."""
    if run.dimension is None or run.dimension >= _MANY:
        return ""
    return f"a limit of many dimensions: 1 % at d = {_MANY}, more at d = {run.dimension}"


def _slow(share: float, run: Setting, name: str) -> str:
    """The warning where norms change while the second moments forget."""
    memory = 1 - run.numbers["beta_2"]
    if share <= memory / 10:
        return ""
    return f"{name} = {share:.2g} is not far below 1-β₂ = {memory:.2g}, as the limit asks"


def _adam(run: Setting) -> Balance:
    if run.numbers["epsilon"]:
        raise NoTheoryError("no closed form is known for Adam with L2 and ε > 0")
    eta, decay, d, size = run.learning_rate, run.weight_decay, float(run.dimension or 0), run.size
    beta = run.numbers["beta_1"]
    norm = float(adam_norm(eta, decay, d, size))
    share = run.lost * d**0.5 * norm / size
    return Balance(
        norm,
        lambda k: float(adam_cosine(eta, decay, d, size, beta_1=beta, steps=k)),
        share,
        None,
        f"{run.size_in_words}, s = {size:.4g}: ρ = (ηs√d/2λ)^(1/3)",
        "adam_equilibrium",
        "a limit, free embeddings with fresh gradients alike in all components: ε = 0, many "
        "dimensions, β₂ near 1, κ = ηλ√d ρ/s far below 1-β₂",
        joined(_few(run), _slow(share, run, "κ")),
    )


def _adamw(run: Setting) -> Balance:
    eta, decay, epsilon = run.learning_rate, run.weight_decay, run.numbers["epsilon"]
    beta = run.numbers["beta_1"]
    needs: Any = {"slope": run.size} if epsilon else {}
    return Balance(
        float(
            adamw_norm(
                eta,
                decay,
                float(run.dimension or 0),
                beta_1=beta,
                beta_2=run.numbers["beta_2"],
                epsilon=epsilon,
                **needs,
            )
        ),
        lambda k: float(adamw_cosine(eta, decay, beta_1=beta, steps=k)),
        -math.log1p(-run.lost),
        2.0,
        f"ρ(1 + ε√d ρ/s) = √(ηd/2λ), whole in ηλ; {run.size_in_words}, s = {run.size:.4g}"
        if epsilon
        else "ρ ≈ √(ηd/2λ), whole in ηλ: no size of the gradient is in it",
        "adamw_equilibrium",
        "a limit, free embeddings with fresh gradients: many dimensions, β₂ near 1, ηλ far below "
        "1-β₂",
        joined(_few(run), _slow(run.lost, run, "ηλ")),
        known_course=not epsilon,
    )


def _lion(run: Setting) -> Balance:
    if run.numbers["coupled"]:
        raise NoTheoryError("no closed form is known for Lion with decay in the gradient")
    eta, decay = run.learning_rate, run.weight_decay
    betas: Any = {name: run.numbers[name] for name in ("beta_1", "beta_2")}
    return Balance(
        float(lion_norm(eta, decay, float(run.dimension or 0), **betas)),
        lambda k: float(lion_cosine(eta, decay, **betas, steps=k)),
        -math.log1p(-run.lost),
        2.0,
        "ρ² = η²d(1+2T)/(1-α²), α = 1-ηλ, T of the betas alone",
        "lion_equilibrium",
        "a limit of many dimensions, free embeddings with fresh gradients",
        _few(run),
    )


_BALANCES: dict[str, Callable[[Setting], Balance]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
    "adamw": _adamw,
    "lion": _lion,
}
