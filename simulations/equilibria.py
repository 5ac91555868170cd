"""Where steps and weight decay balance under five optimizers: norm, turn, and how soon.

Embeddings in d dimensions are attracted to fresh uniform random directions, by optax's rules and
automatic differentiation, from above and from below the norm that :mod:`normtheory.equilibrium`
says. Decays are chosen such that under every optimizer an embedding in equilibrium loses the same
share of its length in a step. Then all turn alike in the long run, whatever their norms are: only
over the memory of their momentum they differ. Claims :mod:`normtheory.claims.momentum_equilibrium`,
:mod:`normtheory.claims.adam_equilibrium`, :mod:`normtheory.claims.adamw_equilibrium`,
:mod:`normtheory.claims.lion_equilibrium`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import optax
import xarray as xr

from normtheory import equilibrium
from simulations._fresh_rules import Plan, run_rules
from simulations._settings import check_positive
from simulations.encoders.measures import interval


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        share: of its length that decay takes from an embedding in a step, in equilibrium.
        starts: norms at the start, over those of the equilibrium.
        points: embeddings for every start.
        dimension: of the embeddings.
        sgd_rate: γ of SGD.
        heavy_ball_rate: γ of SGD with momentum, its decay joined to the gradient.
        momentum: its β.
        adam_rate: η of Adam with L2 and of AdamW, whose ε is 0.
        beta_1: of both, the memory of the gradient.
        beta_2: of both, that of its square.
        lion_rate: η of Lion.
        lion_beta_1: share of the momentum in its step.
        lion_beta_2: memory of its momentum.
        lag: steps of a block, over which turns are looked at.
        burn_in: blocks left out, over which the approach is looked at.
        blocks: blocks counted.
        seed: of all draws.
    """

    share: float = 1e-4
    starts: tuple[float, ...] = (2.0, 0.5)
    points: int = 48
    dimension: int = 64
    sgd_rate: float = 0.1
    heavy_ball_rate: float = 0.01
    momentum: float = 0.9
    adam_rate: float = 0.01
    beta_1: float = 0.9
    beta_2: float = 0.99
    lion_rate: float = 0.001
    lion_beta_1: float = 0.9
    lion_beta_2: float = 0.99
    lag: int = 2500
    burn_in: int = 16
    blocks: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, shares of 1, and one block alone."""
        check_positive(self)
        for name in ("share", "momentum", "beta_1", "beta_2", "lion_beta_1", "lion_beta_2"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name}: expected < 1, got {getattr(self, name):g}")
        if self.blocks < 2:
            raise ValueError(f"blocks: expected at least 2, got {self.blocks}")


SECONDS = 26  # of the full run, about, on two cores
# Twice the decay, so that all happens twice as soon; fewer embeddings and blocks.
QUICK = Settings(share=2e-4, points=24, lag=1250, burn_in=12, blocks=12)
QUICK_SECONDS = 5  # of that run, likewise
SMOKE = Settings(share=0.01, points=8, dimension=16, lag=50, burn_in=8, blocks=4)


class _Law(NamedTuple):
    """An optimizer, and what is said of it.

    Attributes:
        rule: of optax, rate and decay inside.
        norm: ρ* of the equilibrium.
        cosine: to itself so many steps later, there.
        push: power of the norm in the mean squared step.
        pull: power of the norm in the share that decay takes.
    """

    rule: optax.GradientTransformation
    norm: float
    cosine: Callable[[int], float]
    push: int
    pull: int


def _laws(settings: Settings) -> dict[str, _Law]:
    """The optimizers, by the name that the figure shows."""
    k, d, sine = settings.share, settings.dimension, 1 - 1 / settings.dimension
    gamma, heavy, beta = settings.sgd_rate, settings.heavy_ball_rate, settings.momentum
    eta, first, second = settings.adam_rate, settings.beta_1, settings.beta_2
    lion, lion_betas = settings.lion_rate, (settings.lion_beta_1, settings.lion_beta_2)
    # Decay acts through the momentum, and for Adam over the size of the gradient as well.
    through = k * (1 - beta) / heavy
    divided = (2 * sine * k**3) ** 0.5 / (eta**2 * d)
    betas: dict[str, Any] = {"beta_1": lion_betas[0], "beta_2": lion_betas[1]}
    return {
        "SGD": _Law(
            optax.chain(optax.add_decayed_weights(k / gamma), optax.scale(-gamma)),
            float(equilibrium.equilibrium_norm(gamma, k / gamma, sine)),
            lambda n: float(equilibrium.momentum_cosine(gamma, k / gamma, 0.0, steps=n)),
            -2,
            0,
        ),
        "heavy ball": _Law(
            optax.chain(optax.add_decayed_weights(through), optax.trace(beta), optax.scale(-heavy)),
            float(equilibrium.momentum_norm(heavy, through, beta, sine, coupled=True)),
            lambda n: float(
                equilibrium.momentum_cosine(heavy, through, beta, steps=n, coupled=True)
            ),
            -2,
            0,
        ),
        "Adam + L2": _Law(
            optax.chain(
                optax.add_decayed_weights(divided),
                optax.scale_by_adam(first, second, 0.0),
                optax.scale(-eta),
            ),
            float(equilibrium.adam_norm(eta, divided, d, sine**0.5)),
            lambda n: float(
                equilibrium.adam_cosine(eta, divided, d, sine**0.5, beta_1=first, steps=n)
            ),
            0,
            1,
        ),
        "AdamW": _Law(
            optax.adamw(eta, first, second, 0.0, weight_decay=k / eta),
            float(equilibrium.adamw_norm(eta, k / eta, d, beta_1=first, beta_2=second)),
            lambda n: float(equilibrium.adamw_cosine(eta, k / eta, beta_1=first, steps=n)),
            0,
            0,
        ),
        "Lion": _Law(
            optax.lion(lion, *lion_betas, weight_decay=k / lion),
            float(equilibrium.lion_norm(lion, k / lion, d, **betas)),
            lambda n: float(equilibrium.lion_cosine(lion, k / lion, steps=n, **betas)),
            0,
            0,
        ),
    }


def approach(share: float, push: int, pull: int, starts: np.ndarray, steps: int) -> np.ndarray:
    """Norms over that of the equilibrium, r, on the way there: mean squares, step by step.

    r'² = (1 − k r^pull)² r² + (1 − (1 − k)²) r^push, where k is ``share``.

    Args:
        share: of its length that decay takes from an embedding in equilibrium.
        push: power of the norm in the mean squared step.
        pull: power of the norm in the share that decay takes.
        starts: r at the start.
        steps: to go.

    Returns:
        Shape (start, steps + 1).
    """
    square = np.square(np.asarray(starts, dtype=float))
    found = [square]
    for _ in range(steps):
        kept = 1 - share * square ** (pull / 2)
        square = kept**2 * square + share * (2 - share) * square ** (push / 2)
        found.append(square)
    return np.sqrt(np.stack(found, axis=-1))


def half_way(ratio: np.ndarray) -> np.ndarray:
    """Steps until the logarithm of a norm over its end has halved, steps joined by straight lines.

    Args:
        ratio: norms over that of the equilibrium, shape (..., step).

    Returns:
        Shape (...); NaN where it does not get there.
    """
    away = np.abs(np.log(ratio)) / np.abs(np.log(ratio[..., :1]))
    there = away <= 0.5
    after = np.argmax(there, axis=-1)[..., None]
    high, low = (np.take_along_axis(away, k, -1) for k in (np.maximum(after - 1, 0), after))
    found = after - 1 + (high - 0.5) / np.where(high > low, high - low, 1)
    return np.where(there.any(axis=-1), found[..., 0], np.nan)


def _angle(lack: np.ndarray) -> np.ndarray:
    """The angle whose cosine lacks so much of 1."""
    return 2 * np.arcsin(np.sqrt(lack / 2))


def run(settings: Settings) -> xr.Dataset:
    """Let embeddings settle under every optimizer, and look at them there.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``optimizer``: the root mean square ``norm`` in equilibrium and ``law_norm``;
        over ``later``, numbers of steps, also the ``turn`` since then, the angle whose cosine is
        E z·z'/Eρ², and ``law_turn``; over ``start`` and ``step`` the ``ratio`` of the root mean
        square norm on the way to ``law_norm``, and ``law_ratio``; over ``start`` the steps ``half``
        until its logarithm has halved, and ``law_half``. ``norm_interval`` and ``turn_interval``
        are half widths of 95 % intervals, over points and over blocks.
    """
    laws = _laws(settings)
    starts = np.array(settings.starts)
    plans = {name: Plan(law.rule, law.norm * starts) for name, law in laws.items()}
    course = run_rules(
        plans,
        settings.points,
        settings.dimension,
        blocks=settings.burn_in + settings.blocks,
        lag=settings.lag,
        seed=settings.seed,
    )
    law_norm = np.array([law.norm for law in laws.values()])
    optimizers = len(laws)
    settled = course.point_square[..., settings.burn_in :].mean(-1).reshape(optimizers, -1)
    square = settled.mean(axis=-1)
    later = np.unique(np.geomspace(1, settings.lag, 25).astype(int))
    moved = course.moved[:, :, settings.burn_in :, later - 1]
    # Half the squared distance is what E z·z' lacks of E ρ², whose two ends are the same.
    lack = moved.reshape(optimizers, -1, len(later)) / (2 * square[:, None, None])
    law_lack = 1 - np.array([[law.cosine(int(n)) for n in later] for law in laws.values()])
    turn = _angle(lack.mean(axis=1))
    way = settings.burn_in * settings.lag
    ratio = np.sqrt(course.square[..., : way + 1]) / law_norm[:, None, None]
    law_ratio = np.stack(
        [approach(settings.share, law.push, law.pull, starts, way) for law in laws.values()]
    )
    unit, radians, steps = ({"units": u} for u in ("1", "radians", "steps"))
    one, on_the_way = ("optimizer",), ("optimizer", "start", "step")
    return xr.Dataset(
        {
            "norm": (one, np.sqrt(square), unit),
            "norm_interval": (one, interval(settled, axis=1) / (2 * np.sqrt(square)), unit),
            "law_norm": (one, law_norm, unit),
            "turn": (("optimizer", "later"), turn, radians),
            # dφ = d(1 − cos φ)/sin φ.
            "turn_interval": (
                ("optimizer", "later"),
                interval(lack, axis=1) / np.sin(turn),
                radians,
            ),
            "law_turn": (("optimizer", "later"), _angle(law_lack), radians),
            "ratio": (on_the_way, ratio, unit),
            "law_ratio": (on_the_way, law_ratio, unit),
            "half": (("optimizer", "start"), half_way(ratio), steps),
            "law_half": (("optimizer", "start"), half_way(law_ratio), steps),
        },
        coords={
            "optimizer": list(laws),
            "start": ("start", starts, unit),
            "later": ("later", later, steps),
            "step": ("step", np.arange(way + 1), steps),
        },
        attrs={"share": settings.share, "dimension": settings.dimension},
    ).isel(step=slice(None, None, max(1, way // 400)))
