"""How much of an embedding's frequency its norm tells, by optimizer, and S(a) of AdamW.

Embeddings have a gradient with some probability in a step, towards a fresh uniform random
direction; in other steps they rest. Their norms grow, or settle where decay balances them, as a
power of the frequency that :func:`normtheory.equilibrium.frequency_exponent` gives: of SGD, of lazy
Adam, which leaves its moments alone at rest, and of row-wise Adagrad. Dense AdamW, whose moments
fade at rest, has no one power: frequency is invisible far above 1 − β₂ and goes with its square
root far below. Claims :mod:`normtheory.claims.norm_and_frequency` and
:mod:`normtheory.claims.adamw_equilibrium`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

from normtheory import equilibrium
from simulations._fresh_rules import Plan, run_rules
from simulations._settings import check_positive
from simulations.encoders.measures import interval

#: Stands for ε = 0: an embedding that has not been seen yet has 0/ε and not 0/0.
_NO_EPSILON = 1e-30


@dataclass(frozen=True)
class Settings:
    """Settings.

    Attributes:
        frequencies: probabilities of a gradient in a step.
        points: embeddings of every frequency.
        dimension: of the embeddings.
        learning_rate: γ of SGD, η of Adam.
        adagrad_rate: η of row-wise Adagrad.
        accumulated: what it has accumulated at the start, in gradients.
        start: norm at the start of embeddings that grow.
        share: of its length that decay takes from an embedding in a step.
        share_on_visits: the same, where decay acts in steps with a gradient alone.
        beta_1: memory of the gradient of Adam; the law of dense AdamW is for one far shorter than
            that of the square.
        beta_2: memory of its square, of lazy Adam.
        dense: memories of the square, of dense AdamW.
        lag: steps of a block.
        burn_in: blocks left out where embeddings settle.
        blocks: blocks counted; embeddings that grow are looked at in the last.
        seed: of all draws.
    """

    frequencies: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01)
    points: int = 48
    dimension: int = 64
    learning_rate: float = 0.01
    adagrad_rate: float = 0.1
    accumulated: float = 100.0
    start: float = 2.0
    share: float = 2e-4
    share_on_visits: float = 1e-2
    beta_1: float = 0.1
    beta_2: float = 0.95
    dense: tuple[float, ...] = (0.99, 0.95)
    lag: int = 1000
    burn_in: int = 20
    blocks: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that are not positive, what is no probability, and one frequency."""
        check_positive(self)
        for name in ("frequencies", "share", "share_on_visits", "beta_1", "beta_2", "dense"):
            largest = np.max(getattr(self, name))
            if largest > 1 or (largest == 1 and name != "frequencies"):
                wanted = "at most 1" if name == "frequencies" else "< 1"
                raise ValueError(f"{name}: expected {wanted}, got {largest:g}")
        if len(set(self.frequencies)) < 2:
            raise ValueError("frequencies: expected at least 2, or no exponent can be told")
        if self.points < 2:
            raise ValueError(f"points: expected at least 2, got {self.points}")


SECONDS = 26  # of the full run, about, on two cores
#: A third of the points and two fifths of the steps, with decay and learning in step with them.
QUICK = Settings(points=16, share=5e-4, share_on_visits=3e-2, lag=400)
QUICK_SECONDS = 6
SMOKE = Settings(
    frequencies=(1.0, 0.2), points=6, dimension=16, share=2e-3, lag=50, burn_in=20, blocks=10
)


class _Case(NamedTuple):
    """One rule, and what is said of it.

    Attributes:
        plan: what is done with embeddings.
        law: by frequency, the norm in equilibrium; the length gained, of embeddings that grow.
        grows: m where the mean of ρᵐ is what grows, 0 where embeddings settle.
    """

    plan: Plan
    law: np.ndarray
    grows: int = 0


def rowwise_adagrad(learning_rate: float, start: float) -> optax.GradientTransformation:
    """G' = G + mean g², z' = z − ηg/√G', for one embedding.

    Args:
        learning_rate: η.
        start: G before the first gradient.
    """

    def init(z: Any) -> Any:
        return jnp.full((), start, z.dtype)

    def update(slope: Any, total: Any, _: Any = None) -> Any:
        total = total + jnp.mean(slope**2)
        return -learning_rate * slope / jnp.sqrt(total), total

    rule: Any = optax.GradientTransformation  # its types are those of trees, with named arguments
    return rule(init, update)


def adagrad_gain(
    learning_rate: float, start: float, norm: float, slope: float, dimension: int, visits: int
) -> np.ndarray:
    """√(ρ² − ρ₀²) after 0, 1, … visits of row-wise Adagrad by gradients of size ``slope``/ρ.

    Exactly ρ'² − ρ² = η²d(G' − G)/G', which sums to less than η²d ln(G/G₀).

    Args:
        learning_rate: η.
        start: G before the first gradient.
        norm: ρ₀.
        slope: s.
        dimension: d.
        visits: steps with a gradient.

    Returns:
        Shape (visits + 1,).
    """
    total, gained, found = start, 0.0, [0.0]
    for _ in range(visits):
        added = slope**2 / (dimension * (norm**2 + gained))
        total += added
        gained += learning_rate**2 * dimension * added / total
        found.append(gained)
    return np.sqrt(found)


def _cases(settings: Settings) -> dict[str, _Case]:
    """The rules, by the name that the figure shows."""
    p, d, sine = np.array(settings.frequencies), settings.dimension, 1 - 1 / settings.dimension
    rate, first, second = settings.learning_rate, settings.beta_1, settings.beta_2
    share, on_visits = settings.share, settings.share_on_visits
    time = (settings.burn_in + settings.blocks - 0.5) * settings.lag
    grown = settings.adagrad_rate, settings.accumulated * sine / (d * settings.start**2)
    gain = adagrad_gain(*grown, settings.start, sine**0.5, d, int(time) + 1)
    begin = np.full(len(p), settings.start)
    betas: dict[str, float] = {"beta_1": first, "beta_2": second}

    def told(rule: str, decay: str | None = None) -> np.ndarray:
        return p ** equilibrium.frequency_exponent(rule, decay=decay)

    def sgd(share: float) -> optax.GradientTransformation:
        return optax.chain(optax.add_decayed_weights(share / rate), optax.scale(-rate))

    def adam(share: float, memory: float = second) -> optax.GradientTransformation:
        return optax.adamw(rate, first, memory, _NO_EPSILON, weight_decay=share / rate)

    cases = {
        "SGD": _Case(
            Plan(sgd(0.0), begin, lazy=True),
            (2 * rate**2 * sine * time) ** 0.25 * told("sgd"),
            4,
        ),
        "lazy Adam": _Case(
            Plan(adam(0.0), begin, lazy=True), rate * (d * time) ** 0.5 * told("lazy_adam"), 2
        ),
        "row-wise Adagrad": _Case(
            Plan(rowwise_adagrad(*grown), begin, lazy=True),
            np.interp(p * time, np.arange(len(gain)), gain),
            2,
        ),
    }
    for decay, k in (("every step", share), ("on visits", on_visits)):
        rest = 1 - k if decay == "every step" else 1.0
        of_sgd = float(equilibrium.equilibrium_norm(rate, k / rate, sine))
        of_adam = float(equilibrium.adamw_norm(rate, k / rate, d, **betas))
        for name, rule, law in (
            ("SGD", sgd(k), of_sgd * told("sgd", decay)),
            ("lazy AdamW", adam(k), of_adam * told("lazy_adam", decay)),
        ):
            cases[f"{name}, decay {decay}"] = _Case(Plan(rule, 1.1 * law, True, rest), law)
    for memory in settings.dense:
        law = equilibrium.adamw_norm(
            rate, share / rate, d, beta_1=first, beta_2=memory, frequency=p
        )
        rule = adam(share, memory)
        cases[f"dense AdamW, β₂ = {memory:g}"] = _Case(Plan(rule, 1.1 * np.asarray(law)), law)
    return cases


def run(settings: Settings) -> xr.Dataset:
    """Let embeddings of every frequency grow or settle by every rule.

    Args:
        settings: see :class:`Settings`.

    Returns:
        Dataset over ``rule`` and ``frequency``: the root mean square ``norm`` of embeddings that
        settle, and of those that grow the length gained, (ρᵐ − ρ₀ᵐ)^(1/m) with m = 4 for SGD and 2
        otherwise; ``norm_interval``, half of its 95 % interval over points; ``law``. Over ``rule``
        the least-squares ``exponent`` in the frequency, its ``exponent_interval`` and that of the
        law, ``law_exponent``; and whether embeddings of the rule are ``growing``. Over ``beta_2``
        and ``frequency``, of dense AdamW: ``seen``, the visits a that its second moments remember,
        and ``mean_step``, the norm's square over that of a → ∞, with ``mean_step_interval`` and
        ``law_mean_step``, S(a).
    """
    cases = _cases(settings)
    course = run_rules(
        {name: case.plan for name, case in cases.items()},
        settings.points,
        settings.dimension,
        blocks=settings.burn_in + settings.blocks,
        lag=settings.lag,
        seed=settings.seed,
        frequency=np.array(settings.frequencies),
        apart=True,
    )
    norm, half, grows = [], [], np.array([case.grows for case in cases.values()])
    for m, of_points in zip(grows, course.point_square, strict=True):
        if m:
            power, values = m, of_points[..., -1] ** (m / 2) - settings.start**m
        else:
            power, values = 2, of_points[..., settings.burn_in :].mean(axis=-1)
        norm.append(values.mean(axis=-1) ** (1 / power))
        half.append(norm[-1] * interval(values, axis=-1) / (power * values.mean(axis=-1)))
    norm, half = np.array(norm), np.array(half)
    law = np.array([case.law for case in cases.values()])
    # Least squares: the slope is this weighted sum of logarithms.
    x = np.log(settings.frequencies)
    weight = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    dense = [k for k, name in enumerate(cases) if name.startswith("dense")]
    always = equilibrium.adamw_norm(
        settings.learning_rate,
        settings.share / settings.learning_rate,
        settings.dimension,
        beta_1=settings.beta_1,
        beta_2=1 - 1e-14,
    )
    unit, both, visited = {"units": "1"}, ("rule", "frequency"), ("beta_2", "frequency")
    memory = np.array(settings.dense)
    return xr.Dataset(
        {
            "norm": (both, norm, unit),
            "norm_interval": (both, half, unit),
            "law": (both, law, unit),
            "exponent": ("rule", np.log(norm) @ weight, unit),
            "exponent_interval": ("rule", np.sqrt((half / norm) ** 2 @ weight**2), unit),
            "law_exponent": ("rule", np.log(law / law[:, :1]) @ weight, unit),
            "growing": ("rule", grows > 0, unit),
            "seen": (visited, np.array(settings.frequencies) / (1 - memory[:, None]), unit),
            "mean_step": (visited, (norm[dense] / always) ** 2, unit),
            "mean_step_interval": (visited, 2 * (norm * half)[dense] / always**2, unit),
            "law_mean_step": (visited, (law[dense] / always) ** 2, unit),
        },
        coords={
            "rule": list(cases),
            "frequency": ("frequency", np.array(settings.frequencies), unit),
            "beta_2": ("beta_2", memory, unit),
        },
    )
