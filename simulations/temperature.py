"""The best temperature, and how low the loss can be, where partners can be wrong.

Every anchor is told a partner, which at rate ε is another point's. Pairs of one margin Δ are made
as claim :mod:`normtheory.claims.alignment_floor` has them where it is attained, and for labels that
are drawn, the temperature is searched at which InfoNCE is least. Claim
:mod:`normtheory.claims.temperature` says τ* = Δ/ln((n−1)(1−ε)/ε), and that the loss there is the
entropy of the labels, whatever the margin. Beside that, embeddings from a random start are trained
together with the temperature.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy import optimize

import normtheory as nt
from normtheory import sphere
from normtheory import temperature as theory
from simulations._clouds import modalities
from simulations._settings import check_positive


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        pairs: n, all of them keys of every anchor.
        margins: Δ, the cosine with the right partner less that with any other; at most n/(n−1).
        noise: ε, the rate of wrong partners.
        labels: partners drawn for one search of the temperature.
        draws: of labels, for every margin and rate.
        iterations: of L-BFGS at most, where embeddings are trained.
        lowest: temperature of the curves.
        highest: temperature of the curves.
        temperatures: on a curve.
        seed: of labels, of turns in space and of the random start.
    """

    pairs: int = 32
    margins: tuple[float, ...] = (1.0, 0.5, 0.25)
    noise: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3)
    labels: int = 20_000
    draws: int = 10
    iterations: int = 2000
    lowest: float = 0.03
    highest: float = 1.0
    temperatures: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, margins there are not, and a rate of chance."""
        check_positive(self)
        if self.pairs < 3:
            raise ValueError(f"pairs: expected at least 3, got {self.pairs}")
        widest, chance = self.pairs / (self.pairs - 1), 1 - 1 / self.pairs
        if max(self.margins) > widest:
            raise ValueError(f"margins: expected at most n/(n-1) = {widest:.4g}")
        if max(self.noise) >= chance:
            raise ValueError(f"noise: expected rates below (n-1)/n = {chance:.4g}")


SECONDS = 9  # of the full run, about, on two cores
# Fewer draws, of as many labels in all, so wider intervals; and fewer pairs.
QUICK = Settings(pairs=16, labels=50_000, draws=4, temperatures=30)
QUICK_SECONDS = 3  # of that run, likewise
SMOKE = Settings(
    pairs=4, margins=(1.0, 0.5), noise=(0.05, 0.2), labels=2000, draws=3, temperatures=8
)

LINE = 50  # rates of a predicted line


def pairs_of_margin(
    n: int, margin: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Unit anchors and keys (n, n + 2): a simplex with a gap between the two, all margins alike.

    Their alignment is s = 2Δ(n−1)/n − 1, at which no pairs have a larger margin.
    """
    shared = margin * (n - 1) / n  # (1 + s)/2, the part of the square length in the simplex
    return modalities(n, np.sqrt(max(1 - shared, 0.0)), 0.0, rng)


def _by_place(log_scale: Any, u: Any, v: Any) -> Any:
    """InfoNCE (n,) where every anchor is told the partner k places on, k = 0 being right."""
    # Whom an anchor is told changes one cosine of its loss; the sum over keys is the same.
    cosines, place = nt.cosine_similarity(u[:, None], v[None]), np.arange(len(v))
    told = jnp.mean(cosines[place, (place + place[:, None]) % len(v)], axis=-1)
    right = nt.losses.info_nce(u, v, temperature=jnp.exp(-log_scale))
    return right + (told[0] - told) * jnp.exp(log_scale)


@jax.jit
def _places(log_scale: Any, u: Any, v: Any) -> tuple[Any, Any]:
    """The same, and its derivative with respect to the logarithm of the scale, each (n,)."""
    one = jnp.ones_like(log_scale)
    return jax.jvp(lambda s: _by_place(s, u, v), (log_scale,), (one,))


@jax.jit
@functools.partial(jax.value_and_grad, argnums=(0, 1, 2))
def _loss(log_scale: Any, u: Any, v: Any, share: Any) -> Any:
    """InfoNCE where a share (n,) of the labels tells the partner k places on."""
    return share @ _by_place(log_scale, u, v)


def _expected_share(n: int, wrong: float) -> np.ndarray:
    return np.array([1 - wrong] + [wrong / (n - 1)] * (n - 1))


def best_temperature(u: np.ndarray, v: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    """The temperature at which the loss of given pairs is least, and that loss."""

    def value(log_scale: np.ndarray) -> tuple[float, np.ndarray]:
        losses, slopes = (np.asarray(a) for a in _places(log_scale[0], u, v))
        return float(share @ losses), np.array([share @ slopes])

    found = _minimise(value, np.zeros(1), 100)
    return float(np.exp(-found.x[0])), float(found.fun)


def _train(settings: Settings, wrong: float) -> tuple[float, float, np.ndarray]:
    """Loss, scale and margins of embeddings trained from a random start, the scale with them."""
    n = settings.pairs
    rng = np.random.default_rng([settings.seed, 2])
    start = np.concatenate([np.zeros(1), sphere.uniform(rng, 2 * n, n + 2).ravel()])
    share = _expected_share(n, wrong)

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        u, v = x[1:].reshape(2, n, n + 2)
        loss, slopes = _loss(x[0], u, v, share)
        return float(loss), np.concatenate([np.ravel(slope) for slope in slopes])

    found = _minimise(value, start, settings.iterations)
    u, v = found.x[1:].reshape(2, n, n + 2)
    cosines = np.asarray(nt.cosine_similarity(u[:, None], v[None]))
    margins = np.diag(cosines)[:, None] - cosines
    return float(found.fun), float(np.exp(found.x[0])), margins[~np.eye(n, dtype=bool)]


def _minimise(value: Any, start: np.ndarray, iterations: int) -> Any:
    options = {"maxiter": iterations, "ftol": 0.0, "gtol": 1e-9, "maxcor": 30}
    return optimize.minimize(value, start, jac=True, method="L-BFGS-B", options=options)


def run(settings: Settings) -> xr.Dataset:
    """Search the best temperature at every margin and rate of wrong partners.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``margin``, ``noise`` and ``draw``: the ``best`` temperature and the ``least``
        loss; ``predicted`` (margin, noise) the temperature and ``floor`` (noise) the loss of the
        claim, and both over the finer ``rate`` of noise as ``predicted_line`` and ``floor_line``;
        of embeddings trained from a random start ``trained_loss`` and, as ``trained_reach``
        (noise, bound), the least and the largest scale times margin of their pairs, ``reach`` in
        the claim; ``curve`` (noise, temperature), the expected loss at the first margin.
    """
    n = settings.pairs
    noise = np.array(settings.noise)
    temperatures = np.geomspace(settings.lowest, settings.highest, settings.temperatures)
    rng, turns = (np.random.default_rng([settings.seed, k]) for k in range(2))
    expected = np.stack([_expected_share(n, wrong) for wrong in noise])
    found, trained = [], []
    with jax.enable_x64(True):
        for margin in settings.margins:
            pairs = pairs_of_margin(n, margin, turns)
            for share in expected:
                drawn = rng.multinomial(settings.labels, share, settings.draws)
                found += [best_temperature(*pairs, told / settings.labels) for told in drawn]
        for wrong in settings.noise:
            loss, scale, margins = _train(settings, wrong)
            trained.append([loss, scale * margins.min(), scale * margins.max()])
        pairs = pairs_of_margin(n, settings.margins[0], turns)
        by_place = np.stack([_places(-np.log(t), *pairs)[0] for t in temperatures])
    shape = (len(settings.margins), len(noise), settings.draws, 2)
    table = np.reshape(found, shape)
    ends = np.array(trained)
    margins, rate = np.array(settings.margins), np.geomspace(noise.min(), noise.max(), LINE)
    best, line = (1 / np.asarray(theory.best_scale(margins[:, None], e, n)) for e in (noise, rate))
    floor, floor_line = (np.asarray(theory.noisy_loss_floor(e, n)) for e in (noise, rate))
    across, one, nats = ("margin", "noise", "draw"), {"units": "1"}, {"units": "nat"}
    return xr.Dataset(
        {
            "best": (across, table[..., 0], one),
            "least": (across, table[..., 1], nats),
            "predicted": (("margin", "noise"), best, one),
            "predicted_line": (("margin", "rate"), line, one),
            "floor": ("noise", floor, nats),
            "floor_line": ("rate", floor_line, nats),
            "reach": ("noise", np.asarray(theory.wrong_partner_margin(noise, n)), one),
            "trained_loss": ("noise", ends[:, 0], nats),
            "trained_reach": (("noise", "bound"), ends[:, 1:], one),
            "curve": (("noise", "temperature"), expected @ by_place.T, nats),
        },
        coords={
            "margin": margins,
            "noise": noise,
            "rate": rate,
            "temperature": temperatures,
            "bound": ["least", "largest"],
        },
    )
