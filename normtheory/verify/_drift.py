"""Points under weight decay, a pull along themselves and one across, every gradient by autodiff."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _clouds as clouds
from normtheory.verify import _definitions as definitions
from normtheory.verify._normals import normals
from normtheory.verify._sample import Sample, column

_STEPS, _LATE = 1200, 40


def _loss(z: Any, radial: Any, tangential: Any, partner: Any) -> Any:
    """A loss of the norm and one of the direction: −D ln‖z‖ − s ⟨partner, ẑ⟩."""
    norm = definitions.norm(z)
    return -radial * jnp.log(norm) - tangential * jnp.sum(partner * z) / norm


@functools.partial(brief, level=1)
def _run(key: Any, start: Any, setting: dict[str, Any]) -> Any:
    """Norms after each step and cosines of the turns, (steps, n); a fresh partner every time."""

    def step(z: Any, key: Any) -> Any:
        across = normals(key, z.shape)
        unit = z / jnp.linalg.norm(z, axis=1, keepdims=True)
        for _ in range(2):  # orthogonal to rounding, where the draw lay along z too
            across = across - jnp.sum(across * unit, axis=1, keepdims=True) * unit
            across = across / jnp.linalg.norm(across, axis=1, keepdims=True)
        slope = jax.vmap(jax.grad(_loss))(z, setting["radial"], setting["tangential"], across)
        keep = 1 - setting["learning_rate"] * setting["weight_decay"]
        new = keep[:, None] * z - setting["learning_rate"][:, None] * slope
        return new, (jax.vmap(definitions.norm)(new), jax.vmap(definitions.cosine)(z, new))

    return jax.lax.scan(step, start, jax.random.split(key, _STEPS))[1]


def _settle(
    rng: np.random.Generator, d: int, setting: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Start norms, and what a long run from there gives."""
    n = len(setting["radial"])
    size = np.sqrt(setting["learning_rate"] * np.hypot(setting["radial"], setting["tangential"]))
    norm = size * clouds.log_uniform(rng, 0.5, 2, n)
    key = jax.random.key(int(rng.integers(2**31)))
    flat = {name: value[:, 0] for name, value in setting.items()}
    norms, cosines = (np.asarray(a) for a in _run(key, norm * uniform(rng, n, d), flat))
    late = norms[-_LATE:]
    return norm, {
        "next_norm": column(norms[0]),
        "fixed_norm": column(norms[-1]),
        "cosine": column(cosines[-1]),
        "variation": column(late.max(axis=0) / late.min(axis=0) - 1),
    }


def _setting(rng: np.random.Generator, n: int, share: Any, drift: Any) -> dict[str, np.ndarray]:
    """Rates and pulls of any size with given γλ and D/s."""
    rate = clouds.log_uniform(rng, 1e-3, 1e3, n)
    pull = clouds.log_uniform(rng, 0.1, 10, n)
    return {
        "learning_rate": rate,
        "weight_decay": share / rate,
        "radial": drift * pull,
        "tangential": pull,
    }


def radial_drift(
    d: int,
    points: int,
    rng: np.random.Generator,
    *,
    undecayed: bool = False,
    outside: bool = False,
) -> Sample:
    """A step, and where a long run ends.

    Args:
        d: Dimension.
        points: A quarter of the number of points.
        rng: Source of randomness.
        undecayed: No weight decay, and a pull inwards.
        outside: Also stronger pulls inwards, for which nothing settles; the first row is without
            decay and has D = −1.2s.
    """
    n = 4 * points
    share = np.zeros((n, 1)) if undecayed else clouds.log_uniform(rng, 0.02, 0.5, n)
    drift = rng.uniform(-0.85, -0.2, (n, 1)) if undecayed else rng.uniform(-0.85, 1, (n, 1))
    drift = np.where(drift < 0, drift * (1 - share), drift)
    if outside:
        # Many on either side of the border, none so near to it that it settles slowly.
        drift = rng.uniform(0.3, 0.9, (n, 1))
        drift[::2] = rng.uniform(1.05, 1.4, drift[::2].shape)
        drift *= -(1 - share)
        share[0], drift[0] = 0.0, -1.2
    setting = _setting(rng, n, share, drift)
    norm, values = _settle(rng, d, setting)
    values["settles"] = column(values["variation"] < 1e-6)
    label = f"fresh partners, {'no decay' if undecayed else 'decay'}, d={d}"
    return Sample(setting | {"norm": norm}, values, (label,) * n)


def radial_drift_limit(
    d: int, points: int, rng: np.random.Generator, *, outside: bool = False
) -> Sample:
    """Runs at γλ = 0.02 and 0.01, D²/(γλs²) the same in both.

    Args:
        d: Dimension.
        points: A quarter of the number of points.
        rng: Source of randomness.
        outside: Pulls inwards and outwards of any strength; the first row has D = −0.6s.
    """
    n = 4 * points
    # Up to δ = 0.3: near δ = 1.02 the error of first order is 0.
    delta = rng.uniform(-3.5, 5, (n, 1)) if outside else rng.uniform(-1.5, 0.3, (n, 1))
    drift = delta * np.sqrt(2 * 0.02)
    if outside:
        drift[0] = -0.6
    setting = _setting(rng, n, 0.02, drift)
    half = setting | {
        "weight_decay": setting["weight_decay"] / 2,
        "radial": setting["radial"] / np.sqrt(2),
    }
    norm = _settle(rng, d, setting)[1]["fixed_norm"]
    at_half = _settle(rng, d, half)[1]["fixed_norm"]
    inputs = setting | {
        "norm_measured": norm,  # what the fall of the error is stated about
        "norm_at_half": at_half,
        "radial_at_half": half["radial"],
    }
    values = {"norm_measured": norm, "fall": np.full((n, 1), 2.0)}
    return Sample(inputs, values, (f"fresh partners, γλ = 0.02 and 0.01, d={d}",) * n)


def radial_drift_schedule(
    d: int, points: int, rng: np.random.Generator, *, drifting: bool = False
) -> Sample:
    """Where a run settles at a share of the peak's rate and decay, and at the peak.

    Args:
        d: Dimension.
        points: A quarter of the number of points.
        rng: Source of randomness.
        drifting: Every other point has a steady pull along itself; the first one has D = s. The
            share is a half.
    """
    n = 4 * points
    share = np.full((n, 1), 0.5) if drifting else rng.uniform(0.3, 1, (n, 1))
    product = np.full((n, 1), 0.1) if drifting else clouds.log_uniform(rng, 0.2, 0.4, n)
    drift = np.zeros((n, 1))
    if drifting:
        drift[::2] = rng.uniform(0.3, 1, (len(drift[::2]), 1))
        drift[0] = 1
    peak = _setting(rng, n, product, drift)
    now = peak | {name: share * peak[name] for name in ("learning_rate", "weight_decay")}
    values = _settle(rng, d, now)[1]
    values["norm_at_peak"] = _settle(rng, d, peak)[1]["fixed_norm"]
    inputs = now | {
        "peak_rate": peak["learning_rate"],
        "peak_decay": peak["weight_decay"],
        "share": share,
    }
    return Sample(inputs, values, (f"fresh partners, a share of the peak's rate, d={d}",) * n)
