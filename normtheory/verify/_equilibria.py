"""Where decay and growth balance under the optimizers in use, each as optax has it.

Every point is pulled by fresh partners, its gradient taken by autodiff; a row is a mean over the
points of one setting, and over steps after a burn-in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from normtheory._program import brief
from normtheory.sphere import uniform
from normtheory.verify import _definitions as definitions
from normtheory.verify._normals import normals
from normtheory.verify._sample import Sample, column

Optimizer = Callable[[Mapping[str, Any]], optax.GradientTransformation]


def momentum(setting: Mapping[str, Any]) -> optax.GradientTransformation:
    """SGD with momentum; decay beside it, or joined to the gradient where ``coupled`` is 1."""
    decay, coupled = setting["weight_decay"], setting["coupled"]
    return optax.chain(
        optax.add_decayed_weights(coupled * decay),
        optax.trace(setting["momentum"]),
        optax.add_decayed_weights((1 - coupled) * decay),
        optax.scale(-setting["learning_rate"]),
    )


def adamw(setting: Mapping[str, Any]) -> optax.GradientTransformation:
    """AdamW."""
    return optax.adamw(
        setting["learning_rate"],
        b1=setting["beta_1"],
        b2=setting["beta_2"],
        eps=setting["epsilon"],
        weight_decay=setting["weight_decay"],
    )


def adam(setting: Mapping[str, Any]) -> optax.GradientTransformation:
    """Adam, its decay joined to the gradient."""
    return optax.chain(
        optax.add_decayed_weights(setting["weight_decay"]),
        optax.scale_by_adam(setting["beta_1"], setting["beta_2"], setting["epsilon"]),
        optax.scale(-setting["learning_rate"]),
    )


def lion(setting: Mapping[str, Any]) -> optax.GradientTransformation:
    """Lion."""
    return optax.lion(
        setting["learning_rate"],
        b1=setting["beta_1"],
        b2=setting["beta_2"],
        weight_decay=setting["weight_decay"],
    )


@functools.partial(brief, level=1, static_argnames="optimizer")
def simulate(
    key: Any,
    z: Any,
    setting: dict[str, Any],
    optimizer: Optimizer,
    lag: Any,
    burn_in: Any,
    blocks: Any,
) -> dict[str, Any]:
    """Means over ``blocks`` of ``lag`` steps each, point by point, after ``burn_in`` blocks.

    Args:
        key: Source of randomness.
        z: Points (n, d).
        setting: Numbers (n,) for the optimizer; ``slope`` multiplies the gradient, a point is seen
            with probability ``frequency``, and where ``lazy`` is 1 one that isn't keeps the
            optimizer's state and is multiplied by ``rest``.
        optimizer: Turns the setting of one point into an optax rule.
        lag: Steps of a block.
        burn_in: Blocks left out.
        blocks: Blocks counted. As the two above a number of the program: it is compiled once.

    Returns:
        ``square`` E ρ², ``inverse`` E ρ⁻², half the squared displacement of one step (``once``) and
        of a block (``later``), and ρ² in the ``first`` and ``last`` block, all of shape (n,).
    """

    def one(z: Any, state: Any, setting: Any, y: Any, draw: Any) -> Any:
        slope = -setting["slope"] * jax.grad(definitions.cosine)(z, y)
        seen = draw < setting["frequency"]
        updates, new = optimizer(setting).update(jnp.where(seen, slope, 0), state, z)
        moves = seen | (setting["lazy"] == 0)
        state = jax.tree.map(lambda a, b: jnp.where(moves, a, b), new, state)
        return jnp.where(moves, z + updates, setting["rest"] * z), state

    def step(key: Any, carry: Any) -> Any:
        z, state, sums = carry
        first, second = jax.random.split(key)
        draw = jax.random.uniform(second, z.shape[:1], z.dtype)
        moved, state = jax.vmap(one)(z, state, setting, normals(first, z.shape), draw)
        square = jnp.sum(z * z, axis=1)
        found = {"square": square, "inverse": 1 / square, "once": _half(moved - z)}
        return moved, state, jax.tree.map(jnp.add, sums, found)

    def block(k: Any, carry: Any) -> Any:
        z, state, totals = carry
        keys = jax.random.fold_in(key, k)
        moved, state, sums = jax.lax.fori_loop(
            0, lag, lambda i, carry: step(jax.random.fold_in(keys, i), carry), (z, state, nothing)
        )
        found = jax.tree.map(lambda a: a / lag, sums) | {"later": _half(moved - z)}
        counted = {name: totals[name] + jnp.where(k < burn_in, 0, found[name]) for name in found}
        first = jnp.where(k == burn_in, found["square"], totals["first"])
        return moved, state, counted | {"first": first, "last": found["square"]}

    nothing = dict.fromkeys(("square", "inverse", "once"), jnp.zeros_like(z[:, 0]))
    totals = nothing | dict.fromkeys(("later", "first", "last"), nothing["square"])
    state = jax.vmap(lambda z, setting: optimizer(setting).init(z))(z, setting)
    found = jax.lax.fori_loop(0, burn_in + blocks, block, (z, state, totals))[2]
    means = {name: found[name] / blocks for name in ("square", "inverse", "once", "later")}
    return means | {name: found[name] for name in ("first", "last")}


def _half(change: Any) -> Any:
    return jnp.sum(change * change, axis=1) / 2


def run(
    optimizer: Optimizer,
    rows: list[dict[str, float]],
    start: Any,
    d: int,
    many: int,
    rng: np.random.Generator,
    **length: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Settings as columns, and :func:`simulate`'s means over ``many`` points of each row.

    Args:
        optimizer: As in :func:`simulate`.
        rows: One setting a row; all have the same keys.
        start: Norms at the start, one a row.
        d: Dimension.
        many: Points of a row.
        rng: Source of randomness.
        length: ``lag``, ``burn_in`` and ``blocks``.
    """
    setting = {"slope": 1.0, "frequency": 1.0, "lazy": 0.0, "rest": 1.0}
    table = [setting | row for row in rows]
    inputs = {key: np.array([row[key] for row in table]) for key in table[0]}
    repeated = {key: np.repeat(values, many) for key, values in inputs.items()}
    z = np.repeat(np.asarray(start), many)[:, None] * uniform(rng, len(rows) * many, d)
    key = jax.random.key(int(rng.integers(2**31)))
    found = simulate(key, z, repeated, optimizer, **length)
    means = {k: np.asarray(v).reshape(len(rows), many).mean(axis=1) for k, v in found.items()}
    # Half the squared displacement is what E z·z' lacks of E ρ², whose two ends are the same.
    for name in ("once", "later"):
        means[name] = 1 - means[name] / means["square"]
    return (
        {key: column(values) for key, values in inputs.items()},
        {key: column(values) for key, values in means.items()},
    )


def momentum_equilibrium(
    d: int, points: int, rng: np.random.Generator, *, coupled: bool = False, steps: int = 6
) -> Sample:
    """Momentum and decay against fresh random partners.

    Args:
        d: Dimension.
        points: A quarter of the points of a row.
        rng: Source of randomness.
        coupled: Decay as a part of the gradient.
        steps: Steps after which the cosine is measured again.
    """
    rows = [
        {"learning_rate": g, "weight_decay": share / g, "momentum": b, "coupled": float(coupled)}
        for g, share, b in ((0.5, 0.05, 0.0), (2.0, 0.05, 0.5), (0.1, 0.05, 0.9), (0.5, 0.01, 0.9))
    ]
    # Above the equilibrium, so that a mean over the start would show.
    start = [
        2 * (r["learning_rate"] / (r["weight_decay"] * (1 - r["momentum"]))) ** 0.25 for r in rows
    ]
    inputs, means = run(
        momentum, rows, start, d, 4 * points, rng, lag=steps, burn_in=60, blocks=400
    )
    inputs |= {
        "mean_square_sine": np.full((len(rows), 1), 1 - 1 / d),
        "steps": np.full((len(rows), 1), float(steps)),
    }
    values = {
        "balance": means["square"] / means["inverse"],
        "norm": (means["square"] / means["inverse"]) ** 0.25,
        "cosine": means["once"],
        "later": means["later"],
    }
    kind = "coupled" if coupled else "decoupled"
    labels = tuple(f"{kind}, momentum {r['momentum']:g}, d={d}" for r in rows)
    return Sample(inputs, values, labels)


#: Stands for ε = 0: an embedding that has not been seen yet has 0/ε and not 0/0.
NO_EPSILON = 1e-30


_ADAMW = {"beta_1": 0.9, "beta_2": 0.995, "epsilon": NO_EPSILON, "learning_rate": 0.01}
_RARE = {"beta_1": 0.5, "beta_2": 0.98}
_FREQUENCIES = (0.2, 0.06, 0.02, 0.008)


def adamw_equilibrium(
    d: int, points: int, rng: np.random.Generator, *, kind: str = "slopes"
) -> Sample:
    """AdamW against fresh random partners.

    Args:
        d: Dimension.
        points: A quarter of all points.
        rng: Source of randomness.
        kind: What differs from row to row: ``"slopes"``, ``"epsilons"``, or ``"frequencies"``.
    """
    changes: dict[str, list[dict[str, float]]] = {
        "slopes": [
            {"slope": s, "beta_1": b} for s, b in ((1.0, 0.9), (0.02, 0.5), (5.0, 0.0), (0.3, 0.9))
        ],
        "epsilons": [{"epsilon": e, "slope": s} for e, s in ((0.05, 1.0), (0.01, 0.05))],
        "frequencies": [_RARE | {"weight_decay": 0.04, "frequency": f} for f in _FREQUENCIES],
    }
    base = _ADAMW | {"weight_decay": 0.2, "frequency": 1.0, "slope": 1.0}
    rows = [base | change for change in changes[kind]]
    # Above the equilibrium, so that a mean over the start would show.
    start = [
        1.15
        * (r["learning_rate"] * d / (2 * r["weight_decay"])) ** 0.5
        * min(1, r["frequency"] / (1 - r["beta_2"])) ** 0.5
        for r in rows
    ]
    lag = 4
    relaxation = round(1 / (2 * rows[0]["learning_rate"] * rows[0]["weight_decay"]) / lag)
    inputs, means = run(
        adamw, rows, start, d, 4 * points // len(rows), rng,
        lag=lag, burn_in=4 * relaxation, blocks=3 * relaxation,
    )  # fmt: skip
    inputs |= {
        "dimension": np.full((len(rows), 1), float(d)),
        "steps": np.full((len(rows), 1), float(lag)),
    }
    values = {"norm": np.sqrt(means["square"]), "cosine": means["once"], "later": means["later"]}
    labels = tuple(
        f"slope {r['slope']:g}, epsilon {r['epsilon']:g}, frequency {r['frequency']:g}, d={d}"
        for r in rows
    )
    return Sample(inputs, values, labels)


def adam_equilibrium(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Adam with L2 against fresh random partners."""
    rows = []
    for slope, beta, lost in ((1.0, 0.9, 0.002), (0.05, 0.5, 0.002), (5.0, 0.0, 0.004)):
        size = slope * (1 - 1 / d) ** 0.5
        decay = size * lost**1.5 * 2**0.5 / (_ADAMW["learning_rate"] ** 2 * d)
        rows.append(_ADAMW | {"slope": slope, "beta_1": beta, "weight_decay": decay})
    start = [
        1.15 * (0.5 * r["learning_rate"] * r["slope"] * d**0.5 / r["weight_decay"]) ** (1 / 3)
        for r in rows
    ]
    lag, relaxation = 4, 62  # as adamw_equilibrium, where decay takes 0.002
    inputs, means = run(
        adam, rows, start, d, points, rng, lag=lag, burn_in=4 * relaxation, blocks=3 * relaxation
    )
    inputs |= {
        "dimension": np.full((len(rows), 1), float(d)),
        "steps": np.full((len(rows), 1), float(lag)),
    }
    inputs["slope"] = inputs["slope"] * (1 - 1 / d) ** 0.5  # its root mean square
    values = {"norm": np.sqrt(means["square"]), "cosine": means["once"], "later": means["later"]}
    labels = tuple(f"slope {r['slope']:g}, beta_1 {r['beta_1']:g}, d={d}" for r in rows)
    return Sample(inputs, values, labels)


def adam_growth(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Growth of ρ² a step under dense Adam without decay, by frequency."""
    base = _ADAMW | _RARE | {"weight_decay": 0.0}
    rows = [base | {"frequency": f} for f in _FREQUENCIES]
    lag, blocks = 4, 750
    # The noise goes with the norm; below this one the growth would no longer be slow.
    start = [np.sqrt(d) / 2] * len(rows)
    many = max(2 * points, 64)
    inputs, means = run(adamw, rows, start, d, many, rng, lag=lag, burn_in=100, blocks=blocks)
    inputs["dimension"] = np.full((len(rows), 1), float(d))
    values = {"growth": (means["last"] - means["first"]) / (lag * (blocks - 1))}
    labels = tuple(f"frequency {r['frequency']:g}, d={d}" for r in rows)
    return Sample(inputs, values, labels)


def lion_equilibrium(d: int, points: int, rng: np.random.Generator) -> Sample:
    """Lion against fresh random partners."""
    base = {"learning_rate": 0.01, "weight_decay": 0.2}
    rows = [
        base | {"beta_1": first, "beta_2": second, "slope": slope}
        for first, second, slope in (
            (0.0, 0.95, 1.0),
            (0.9, 0.99, 1.0),
            (0.95, 0.98, 0.01),
            (0.98, 0.95, 3.0),
        )
    ]
    lag, blocks = 4, 62  # a relaxation of ρ² in as many
    # Above the equilibrium, which signs that repeat raise by so much.
    raised = (1.0, 6.0, 7.0, 5.0)
    start = [
        1.3 * factor * (r["learning_rate"] * d / (2 * r["weight_decay"])) ** 0.5
        for factor, r in zip(raised, rows, strict=True)
    ]
    inputs, means = run(
        lion,
        rows,
        start,
        d,
        12 * points,
        rng,
        lag=lag,
        burn_in=6 * blocks,
        blocks=4 * blocks,
    )
    inputs |= {
        "dimension": np.full((len(rows), 1), float(d)),
        "steps": np.full((len(rows), 1), float(lag)),
    }
    values = {"norm": np.sqrt(means["square"]), "cosine": means["once"], "later": means["later"]}
    labels = tuple(f"betas {r['beta_1']:g} and {r['beta_2']:g}, d={d}" for r in rows)
    return Sample(inputs, values, labels)
