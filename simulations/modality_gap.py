"""The gap between two modalities closes as a power of CLIP's learned scale, set by the norm.

n pairs of embeddings are trained by SGD with the mean CLIP loss, the logarithm of the scale b with
it, every gradient by autodiff. Claim :mod:`normtheory.claims.modality_gap` says: gap ∝ b^(−κ) with
κ = γ_e/(nγ_s ρ²), exactly step by step from the symmetric state, so twice the norm is a quarter of
the exponent. Beside that stand a random start, which is no symmetric state, and AdamW on the
embeddings, for which there is no such law.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

from normtheory import sphere, symmetric
from simulations._clouds import modalities
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        norms: ρ of all embeddings at the start.
        pairs: n, full batch.
        exponent: κ at norm 1; the rate of the embeddings follows from it.
        scale_rate: γ_s of the logarithm of the scale.
        scale: b at the start.
        gap: q₋ at the start of the symmetric states.
        common: q₊ there.
        noise: of the random start, against a mean of length 1 of every modality.
        adam_rate: of AdamW on the embeddings.
        steps: of a run.
        records: looks after the start, evenly in the logarithm of the step.
        seed: of the random start and of turns in space.
    """

    norms: tuple[float, ...] = (1.0, 2.0, 4.0)
    pairs: int = 16
    exponent: float = 1.0
    scale_rate: float = 0.01
    scale: float = 1.0
    gap: float = 0.5
    common: float = 0.2
    noise: float = 0.6
    adam_rate: float = 1e-3
    steps: int = 20_000
    records: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, states that don't exist, and a pair alone."""
        check_positive(self)
        if self.gap**2 + self.common**2 >= 1:
            raise ValueError("gap, common: expected squares that add up to less than 1")
        if self.pairs < 3:
            raise ValueError(f"pairs: expected at least 3, got {self.pairs}")


SECONDS = 2  # of the full run, about, on two cores
SMOKE = Settings(norms=(1.0, 2.0), pairs=4, steps=200, records=10)

OTHERS = ("random start", "AdamW")


def _unit(z: Any) -> Any:
    return z / jnp.sqrt(jnp.sum(z * z, axis=-1, keepdims=True))


def _clip(u: Any, v: Any, log_scale: Any) -> Any:
    logits = jnp.exp(log_scale) * _unit(u) @ _unit(v).T
    rows, columns = (jax.nn.log_softmax(logits, axis=k) for k in (1, 0))
    return -jnp.mean(jnp.diagonal(rows) + jnp.diagonal(columns)) / 2


@functools.partial(jax.jit, static_argnames=("steps", "adam"))
def _train(
    u: Any, v: Any, log_scale: Any, rate: Any, scale_rate: Any, steps: int, adam: bool
) -> Any:
    """Distance of the modalities' mean directions, log scale and norm at every step."""
    optimizer = optax.adamw(rate) if adam else optax.sgd(rate)

    def step(state: Any, _: Any) -> Any:
        (u, v), log_scale, memory = state
        apart = jnp.mean(_unit(u), axis=0) - jnp.mean(_unit(v), axis=0)
        square = jnp.mean(jnp.sum(u * u, axis=1) + jnp.sum(v * v, axis=1)) / 2
        seen = jnp.stack([jnp.sqrt(jnp.sum(apart**2)), log_scale, jnp.sqrt(square)])
        slopes = jax.grad(_clip, (0, 1, 2))(u, v, log_scale)
        update, memory = optimizer.update(slopes[:2], memory, (u, v))
        points = optax.apply_updates((u, v), update)
        return (points, log_scale - scale_rate * slopes[2], memory), seen

    start = ((u, v), log_scale, optimizer.init((u, v)))
    return jax.lax.scan(step, start, None, length=steps + 1)[1]


def _random(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings round a mean of their own for every modality."""
    n = settings.pairs
    rng = np.random.default_rng([settings.seed, 1])
    means = sphere.uniform(rng, 2, n + 2)
    noise = rng.standard_normal((2, n, n + 2)) / np.sqrt(n + 2)
    points = means[:, None] + settings.noise * noise
    u, v = points / np.linalg.norm(points, axis=-1, keepdims=True)
    return u, v


def run(settings: Settings) -> xr.Dataset:
    """Train from the symmetric state at every norm, from a random start, and with AdamW.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``run`` (the norms, "random start", "AdamW") and ``step`` of the ``gap``, half
        of the distance between the modalities' mean directions, the ``scale`` and the ``norm``;
        over the runs by SGD the gap ``predicted``, (b/b₀)^(−κ) with κ of the norm at the start; and
        the ``slope`` of ln gap in ln b over the last four fifths of ln b, with the ``exponent`` −κ
        and the slope ``followed`` by ∫κ d ln b, κ that of the norm at every step.
    """
    n = settings.pairs
    rate = settings.exponent * n * settings.scale_rate
    start = np.random.default_rng(settings.seed)
    unit = modalities(n, settings.gap, settings.common, start)
    plans = [(*(r * x for x in unit), rate, False) for r in settings.norms]
    plans += [
        (*_random(settings), rate, False),
        (*unit, settings.adam_rate, True),
    ]
    found = []
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):  # as optax needs it
        for u, v, own_rate, adam in plans:
            seen = _train(
                u,
                v,
                float(np.log(settings.scale)),
                own_rate,
                settings.scale_rate,
                settings.steps,
                adam,
            )
            found.append(np.asarray(seen))
    table = np.stack(found)
    gap, log_scale, norm = table[..., 0] / 2, table[..., 1], table[..., 2]
    kappa = np.asarray(symmetric.gap_exponent(norm, n, rate, settings.scale_rate))
    change = np.diff(log_scale, axis=1)
    between = (kappa[:, 1:] + kappa[:, :-1]) / 2
    followed = np.concatenate([np.zeros((len(table), 1)), -(between * change).cumsum(1)], axis=1)
    predicted = -kappa[:, :1] * (log_scale - log_scale[:, :1])
    sgd = np.array([not adam for *_, adam in plans])[:, None]
    slopes = [_slope(x, y) for x, y in zip(log_scale, gap, strict=True)]
    by_norm = [_slope(x, np.exp(y)) for x, y in zip(log_scale, followed, strict=True)]
    names = [f"norm {r:g}" for r in settings.norms] + list(OTHERS)
    across = ("run", "step")
    return xr.Dataset(
        {
            "gap": (across, gap, {"units": "1"}),
            "scale": (across, np.exp(log_scale), {"units": "1"}),
            "norm": (across, norm, {"units": "1"}),
            "predicted": (
                across,
                np.where(sgd, gap[:, :1] * np.exp(predicted), np.nan),
                {"units": "1"},
            ),
            "slope": ("run", slopes, {"units": "1"}),
            "exponent": ("run", np.where(sgd[:, 0], -kappa[:, 0], np.nan), {"units": "1"}),
            "followed": ("run", np.where(sgd[:, 0], by_norm, np.nan), {"units": "1"}),
        },
        coords={"run": names, "step": ("step", np.arange(settings.steps + 1), {"units": "steps"})},
    ).isel(step=[0, *np.unique(np.geomspace(1, settings.steps, settings.records).astype(int))])


def _slope(log_scale: np.ndarray, gap: np.ndarray) -> float:
    """Least-squares slope of ln gap in ln b over the last four fifths of ln b."""
    low, high = log_scale.min(), log_scale.max()
    late = log_scale >= low + (high - low) / 5
    return float(np.polyfit(log_scale[late], np.log(gap[late]), 1)[0])
