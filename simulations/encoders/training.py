"""Training of many runs at once: seeds, rates and decays side by side in compiled programs.

A step of one run is written plainly; ``lax.scan`` repeats it and ``over_runs`` does it for all.
Between chunks of steps Python looks at the networks. What is static, and so compiled in, is hashed
by value, so that a second call with the same settings compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from normtheory._program import by_length
from normtheory._progress import bar
from simulations.encoders.devices import over_runs, place
from simulations.encoders.models import BATCH, FLOAT, referring
from simulations.encoders.objectives import Learner, NewLearner


class Sampler(Protocol):
    """Draws batches, in two steps. Compared by value: a frozen dataclass."""

    def draw(self, key: jax.Array, step: int | jax.Array, data: Any) -> Any:
        """What chance decides in that step of the run that has the key, a few numbers.

        Done for many steps at once, which is quicker. It is keyed by the number of the step, so
        that looking more often changes nothing. A sampler may have ``draws(key, begin, steps,
        data)`` besides: the same for so many steps one after the other, where they share work; and
        ``without_draws``, one that makes the same batches and is equal where only draws differ.
        """
        ...

    def batch(self, drawn: Any, data: Any) -> Any:
        """The batch that was drawn."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a step is made.

    Attributes:
        objective: the loss of a learner, a target and a batch; compared by value.
        momentum: of SGD.
        adam: use Adam, with decoupled decay, rather than SGD with decay in the gradient.
        average: share that the target network keeps of itself in a step; 0 makes it the network.
        cosine_steps: anneal the rate to 0 over so many steps along a cosine; 0 keeps it.
        warm_up: of these, the first ones, in which the rate rises linearly to its largest instead;
            the cosine falls over the others.
    """

    objective: Callable[[Learner, Learner | None, Any], jax.Array]
    momentum: float = 0.0
    adam: bool = False
    average: float = 0.0
    cosine_steps: int = 0
    warm_up: int = 0

    def __post_init__(self) -> None:
        """Refuse a rise that leaves no step to fall in."""
        if self.warm_up and not 0 < self.warm_up < self.cosine_steps:
            raise ValueError(
                f"warm_up: expected fewer than the {self.cosine_steps} steps, got {self.warm_up}"
            )

    def optimizer(self, rate: Any, decay: Any) -> optax.GradientTransformation:
        """The optimizer, whose rate and decay may be traced."""
        last = optax.scale(-rate)
        if self.cosine_steps:
            last = optax.chain(optax.scale_by_schedule(self._cosine), last)
        decaying = optax.add_decayed_weights(decay)
        if self.adam:
            return optax.chain(optax.scale_by_adam(), decaying, last)
        steps = [optax.trace(self.momentum)] if self.momentum else []
        return optax.chain(decaying, *steps, last)

    def _cosine(self, step: Any) -> jax.Array:
        # Optax's own mixes integers and floats, which strict promotion refuses.
        step = jnp.asarray(step, FLOAT)
        falling = (step - self.warm_up) / (self.cosine_steps - self.warm_up)
        cosine = (1 + jnp.cos(jnp.pi * jnp.clip(falling, 0, 1))) / 2
        return jnp.minimum((step + 1) / self.warm_up, cosine) if self.warm_up else cosine


class Run(eqx.Module):
    """State of one run, or of many along a leading axis.

    Attributes:
        learner: what is trained.
        target: the moving average whose outputs count as constants; None where that is the
            learner itself.
        memory: of the optimizer.
        key: the words of the key of all batches to come.
        rate: learning rate.
        decay: weight decay.
    """

    learner: Learner
    target: Learner | None
    memory: Any
    key: jax.Array
    rate: jax.Array
    decay: jax.Array


def start(
    recipe: Recipe,
    make: NewLearner,
    seeds: Sequence[tuple[int, int]],
    rate: Any,
    decay: Any = 0.0,
) -> Run:
    """Runs from new networks.

    Args:
        recipe: how steps are made.
        make: how a learner is made.
        seeds: one for every run; runs with the same seed start alike and see the same batches.
        rate: learning rates, a number or shape (runs,).
        decay: weight decays, likewise.
    """
    new = {seed: make(np.random.default_rng(seed)) for seed in dict.fromkeys(seeds)}
    # By numpy: JAX would compile a program for every shape.
    learner = jax.tree.map(lambda *a: jnp.asarray(np.stack(a)), *(new[seed] for seed in seeds))
    memory = recipe.optimizer(1.0, 0.0).init(eqx.filter(learner, eqx.is_inexact_array))
    runs = (len(seeds),)
    return Run(
        learner,
        learner if recipe.average else None,
        # Counters of steps; everything else has the shape of the stacked parameters.
        jax.tree.map(lambda a: a if jnp.ndim(a) else jnp.broadcast_to(a, runs), memory),
        jnp.asarray(seeds, jnp.uint32),
        jnp.broadcast_to(jnp.asarray(rate, FLOAT), runs),
        jnp.broadcast_to(jnp.asarray(decay, FLOAT), runs),
    )


def _step(run: Run, batch: Any, recipe: Recipe) -> tuple[Run, Any]:
    def loss(learner: Learner) -> jax.Array:
        return recipe.objective(learner, run.target, batch)

    value, gradient = eqx.filter_value_and_grad(loss)(run.learner)
    parameters = eqx.filter(run.learner, eqx.is_inexact_array)
    optimizer = recipe.optimizer(run.rate, run.decay)
    # Optax's Adam raises a float to an integer power, which strict promotion would refuse.
    with jax.numpy_dtype_promotion("standard"):
        change, memory = optimizer.update(gradient, run.memory, parameters)
    learner = eqx.apply_updates(run.learner, change)
    target = run.target
    if target is not None:
        target = jax.tree.map(
            lambda t, w: recipe.average * t + (1 - recipe.average) * w, target, learner
        )
    return Run(learner, target, memory, run.key, run.rate, run.decay), value


def advance(
    runs: Run,
    data: Any,
    begin: int | jax.Array,
    *,
    steps: int,
    recipe: Recipe,
    sample: Sampler,
    shared: bool | tuple[bool, ...],
) -> tuple[Run, jax.Array]:
    """Some steps of all runs.

    Args:
        runs: along a leading axis.
        data: what batches are drawn from; a leading axis of runs unless shared.
        begin: number of the first step.
        steps: how many.
        recipe: how a step is made.
        sample: draws a batch.
        shared: whether all runs see the same data; for each part, where data is a tuple.

    Returns:
        The runs, and their losses, shape (runs, steps).
    """
    begin = jnp.asarray(begin, jnp.int32)
    count = len(runs.key) * steps
    drawn = _draws(count, runs.key, data, begin, steps=steps, sample=sample, shared=shared)
    batch = getattr(sample, "without_draws", sample)  # fewer programs to compile
    return _steps(runs, data, drawn, recipe=recipe, sample=batch, shared=shared)


def _some(keys: Any, data: Any, begin: Any, *, steps: int, sample: Any, shared: Any) -> Any:
    """What chance decides in some steps of all runs: (runs, steps, ...).

    A program of its own. The many small operations of random numbers take XLA longer to compile
    with care than the training of a small network does, and little time to run.
    """
    many = getattr(sample, "draws", None)

    def one(words: jax.Array, data: Any) -> Any:
        key = jax.random.wrap_key_data(words, impl="threefry2x32")
        if many is not None:
            return many(key, begin, steps, data)
        numbers = begin + jnp.arange(steps, dtype=jnp.int32)
        return jax.vmap(lambda k: sample.draw(key, k, data))(numbers)

    return over_runs(one, keys, data, shared)


# A thousand of all runs together are drawn in milliseconds, however that is compiled.
_draws = by_length(_some, few=1000, static_argnames=("steps", "sample", "shared"))


@eqx.filter_jit
def _steps(
    runs: Run, data: Any, drawn: Any, *, recipe: Recipe, sample: Sampler, shared: Any
) -> tuple[Run, jax.Array]:
    """The steps of all runs for which something was drawn."""
    dynamic, static = eqx.partition(runs, eqx.is_array)

    def one(dynamic: Any, seen: Any) -> tuple[Any, jax.Array]:
        data, drawn = seen

        def body(dynamic: Any, drawn: Any) -> tuple[Any, jax.Array]:
            batch = sample.batch(drawn, data)
            after, value = _step(eqx.combine(dynamic, static), batch, recipe)
            return eqx.filter(after, eqx.is_array), value

        return jax.lax.scan(body, dynamic, drawn)

    dynamic, losses = over_runs(one, dynamic, (data, drawn), (shared, False))
    return eqx.combine(dynamic, static), losses


@eqx.filter_jit
def embed(
    learners: Learner, x: jax.Array, reference: jax.Array | None = None, *, shared: bool
) -> jax.Array:
    """Embeddings by many networks, shape (runs, n, d), of inputs (n, ...), or (runs, n, ...).

    Args:
        learners: along a leading axis.
        x: inputs.
        reference: inputs (runs, m, ...) whose mean and variance batch normalisations take, where
            there are any; None for those of ``x``.
        shared: whether all networks see the same inputs.
    """
    given = () if reference is None else reference
    first = 0 if reference is None else reference.shape[1]
    dynamic, static = eqx.partition(referring(learners, first), eqx.is_array)

    def one(dynamic: Any, data: Any) -> jax.Array:
        before, x = data
        encode = jax.vmap(eqx.combine(dynamic, static).encoder, axis_name=BATCH)
        return encode(x if reference is None else jnp.concatenate([before, x]))[first:]

    return over_runs(one, dynamic, (given, x), (False, shared))


def train(
    runs: Run,
    data: Any,
    sample: Sampler,
    recipe: Recipe,
    *,
    steps: int,
    records: int,
    look: Callable[[Run], Any],
    shared: bool | tuple[bool, ...],
    name: str = "training",
) -> tuple[Run, np.ndarray, list[Any], np.ndarray]:
    """Train, and look at the runs now and then.

    Args:
        runs: from :func:`start`.
        data: what batches are drawn from; a leading axis of runs unless shared.
        sample: draws a batch.
        recipe: the one that the runs were started with.
        steps: of every run.
        records: looks after the start, evenly spaced; must divide ``steps``.
        look: what to keep of the runs, called at the start and after every chunk.
        shared: whether all runs see the same data; for each part, where data is a tuple.
        name: for the progress bar.

    Returns:
        The trained runs; the numbers of steps at the looks; what the looks gave; the mean losses
        of the chunks between them, shape (runs, records).

    Raises:
        ValueError: records that don't divide the steps.
        FloatingPointError: a loss that is not finite, for every run.
    """
    if steps % records:
        raise ValueError(f"records: expected a divisor of the {steps} steps, got {records}")
    chunk = steps // records
    dynamic, static = eqx.partition(runs, eqx.is_array)
    dynamic, data = place(dynamic, data, shared)
    runs = eqx.combine(dynamic, static)
    seen, losses = [look(runs)], []
    for i in bar(records, "chunk", iterable=range(records), desc=name, leave=False):
        runs, values = advance(
            runs,
            data,
            jnp.asarray(i * chunk, jnp.int32),
            steps=chunk,
            recipe=recipe,
            sample=sample,
            shared=shared,
        )
        losses.append(np.asarray(values).mean(axis=1))
        if not np.isfinite(losses[-1]).any():
            raise FloatingPointError(
                f"{name}: no run has a finite loss after step {(i + 1) * chunk}"
            )
        seen.append(look(runs))
    return runs, chunk * np.arange(records + 1), seen, np.stack(losses, axis=1)
