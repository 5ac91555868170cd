"""An umbrella opens: equiangular clouds go from near collapse to the simplex as one pair would.

Clouds of n points in R^n start a little apart and repel by uniformity (Wang and Isola 2020) under
SGD, particle by particle. Beside every run stands the closed map of claim
:mod:`normtheory.claims.equiangular`, and over all of them one pair that repels: with rates chosen
so that na/2 is the same, all clouds have the angle of that pair at every step. An InfoNCE run,
whose slope changes on the way, is held against :mod:`normtheory.claims.simplex_steps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import normtheory as nt
from normtheory import particles, symmetric
from normtheory.particles import forces, observables
from simulations._clouds import cloud
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        sizes: numbers of points n; the dimension is n as well.
        norm: ρ of every point at the start.
        size: na/2 at the start, what is x = γ/ρ² of a pair.
        start: angle ψ of the clouds at the start, radians.
        steps: of a run.
        sharpness: t of uniformity.
        contrast_size: points under InfoNCE.
        temperatures: of InfoNCE.
        contrast_rate: n|a| at its largest on the way under InfoNCE.
        seed: of the turns of the clouds in space.
    """

    sizes: tuple[int, ...] = (2, 3, 8, 32)
    norm: float = 1.0
    size: float = 0.02
    start: float = 0.05
    steps: int = 400
    sharpness: float = 2.0
    contrast_size: int = 8
    temperatures: tuple[float, ...] = (1.0, 0.5, 0.25)
    contrast_rate: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, and a cloud of one point."""
        check_positive(self)
        if min(*self.sizes, self.contrast_size) < 2:
            raise ValueError("sizes: expected clouds of at least 2 points")
        if self.start >= np.pi:
            raise ValueError(f"start: expected an angle below pi, got {self.start:g}")


SECONDS = 4  # of the full run, about, on two cores
SMOKE = Settings(sizes=(2, 3), steps=10, contrast_size=3, temperatures=(1.0,), start=2.0)


def _mean_cosine(view: particles.View) -> Any:
    u = view.directions[0]
    total = u.sum(axis=0)
    n = u.shape[0]
    return ((total * total).sum() - n) / (n * (n - 1))


def _mean_norm(view: particles.View) -> Any:
    return view.norms[0].mean()


_NORM = observables.observable("mean_norm", _mean_norm, long_name="mean norm of the points")
_COSINE = observables.observable(
    "mean_cosine_of_points", _mean_cosine, long_name="mean cosine of two points of the cloud"
)


def _particles(points: np.ndarray, force: Any, rate: float, steps: int) -> xr.Dataset:
    system = particles.System(force, rate)
    state = particles.init(system, points)
    done = particles.run(system, state, steps, record=(_COSINE, _NORM), record_every=1)
    return done.dataset


def run(settings: Settings) -> xr.Dataset:
    """Open every cloud.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``n`` and ``step``: the ``angle`` ψ and ``norm`` of particles, and
        ``mapped_angle``, ``mapped_norm`` of the closed map; over ``step`` the ``pair_angle`` of a
        pair; over ``temperature`` ``counted`` steps of InfoNCE between two cosines and their
        ``closed_form``; ``points`` (frame, point, component) of three points that open.
    """
    rng = np.random.default_rng(settings.seed)
    angle, norm, mapped_angle, mapped_norm = ([] for _ in range(4))
    for n in settings.sizes:
        slope = float(symmetric.slope("uniformity", 0.5, n, steepness=settings.sharpness))
        rate = 2 * settings.size * settings.norm**2 / (n * slope)
        start = settings.norm * cloud(n, settings.start, rng)
        done = _particles(
            start, forces.loss("uniformity", sharpness=settings.sharpness), rate, settings.steps
        )
        cosine = np.clip(done.mean_cosine_of_points.values, -1 / (n - 1), 1.0)
        angle.append(symmetric.cloud_angle(cosine, n))
        norm.append(done.mean_norm.values)
        m = n * np.cos(settings.start / 2) ** 2
        state = symmetric.EquiangularState((m - 1) / (n - 1), settings.norm)
        states = [state]
        for _ in range(settings.steps):
            state = symmetric.equiangular_step(state, slope, rate, n)
            states.append(state)
        cosines, norms = (np.array([float(s[k]) for s in states]) for k in (0, 1))
        mapped_angle.append(symmetric.cloud_angle(np.clip(cosines, -1 / (n - 1), 1.0), n))
        mapped_norm.append(norms)
    pair = nt.simulate_pairs(
        np.array([settings.start]),
        settings.norm,
        settings.norm,
        settings.size * settings.norm**2,
        repel=True,
        max_steps=settings.steps,
        record_every=1,
    )
    assert pair.trajectory is not None
    counted, closed = _contrast(settings, rng)
    across, unit = ("n", "step"), {"units": "rad"}
    shown = np.linspace(0.35, np.pi, 4)
    frames = [cloud(3, psi, np.random.default_rng(settings.seed)) for psi in shown]
    return xr.Dataset(
        {
            "angle": (across, np.stack(angle), unit),
            "mapped_angle": (across, np.stack(mapped_angle), unit),
            "norm": (across, np.stack(norm), {"units": "1"}),
            "mapped_norm": (across, np.stack(mapped_norm), {"units": "1"}),
            "pair_angle": ("step", pair.trajectory.angle[:, 0], unit),
            "counted": ("temperature", counted, {"units": "steps"}),
            "closed_form": ("temperature", closed, {"units": "steps"}),
            "points": (("frame", "point", "component"), np.stack(frames), {"units": "1"}),
        },
        coords={
            "n": list(settings.sizes),
            "step": np.arange(settings.steps + 1),
            "temperature": list(settings.temperatures),
            "frame": shown,
        },
    )


def _contrast_of_itself(z: Any, scale: Any) -> Any:
    u = z / jnp.sqrt(jnp.sum(z * z, axis=1, keepdims=True))
    logits = scale * u @ u.T
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - jnp.diagonal(logits))


def _contrast(settings: Settings, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Steps of InfoNCE over one cloud in both roles, from ψ = 0.6 to 2.5: counted, closed form."""
    n, first, last = settings.contrast_size, 0.6, 2.5
    start, end = ((n * np.cos(a / 2) ** 2 - 1) / (n - 1) for a in (first, last))
    counted, closed = [], []
    for temperature in settings.temperatures:
        b = 1 / temperature
        steepest = float(symmetric.slope("info_nce", start, n, steepness=b))
        rate = settings.contrast_rate * settings.norm**2 / (n * steepest)
        options: dict[str, Any] = {"steepness": b}
        steps = float(
            symmetric.simplex_steps("info_nce", start, end, n, settings.norm, rate, **options)
        )
        points = settings.norm * cloud(n, first, rng)
        # Both roles: one cloud that meets itself, so its loss is a function of one cloud.
        force = forces.function(_contrast_of_itself, scale=b)
        done = _particles(points, force, rate, int(1.2 * steps) + 2)
        cosine = done.mean_cosine_of_points.values
        k = int(np.argmax(cosine <= end))
        counted.append(k - 1 + (cosine[k - 1] - end) / (cosine[k - 1] - cosine[k]))
        closed.append(steps)
    return counted, closed
