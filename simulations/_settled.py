"""From the course of a training to its numbers, and to what the library says of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

import normtheory as nt
from simulations._together import Course
from simulations._told import BY_SIZE, Optimizer

QUANTITIES = {
    "norm": "equilibrium_norm",
    "turn": "equilibrium_angular_step",
    "turn_lag": "equilibrium_cosine_after_lag",
    "steps": "steps_to_equilibrium",
}
"""What is measured -> the row of a prediction."""

WITHIN = 0.01
"""Of its end, where predict says that a norm has come to its equilibrium."""


class Seen(NamedTuple):
    """Of one subject.

    Attributes:
        numbers: by name, shape (optimizer,).
        start: norm at the start, likewise.
    """

    numbers: dict[str, np.ndarray]
    start: np.ndarray


def measured(course: Course, place: int, burn_in: int, lag: int) -> Seen:
    """What a subject does once it has settled.

    Args:
        course: of a training.
        place: of the subject in it.
        burn_in: blocks left out.
        lag: steps of a block.
    """
    square = course.square[:, :, place]
    late = slice(burn_in * lag, None)
    of_runs = square[..., late].mean(axis=-1)
    end = of_runs.mean(axis=1)
    # Half the squared distance is what E z·z' lacks of E ρ², whose two ends are the same.
    lack = course.moved[:, :, place, late].mean(axis=(1, 2)) / (2 * end)
    later = course.lagged[:, :, place, burn_in:].mean(axis=(1, 2)) / (2 * end)
    ratio = np.sqrt(square.mean(axis=1) / end[:, None])
    numbers = {
        "norm": np.sqrt(end),
        "turn": np.arccos(1 - lack),
        "turn_lag": np.arccos(np.maximum(1 - later, -1)),
        "steps": first_within(ratio, WITHIN, lag),
        "slope": np.sqrt(course.slope[:, :, place, late].mean(axis=(1, 2))),
        "apart": np.ptp(np.sqrt(of_runs), axis=1) / np.sqrt(end),
    }
    return Seen(numbers, np.sqrt(square[..., 0].mean(axis=1)))


def first_within(ratio: np.ndarray, within: float, lag: int) -> np.ndarray:
    """The step about which norms over their end are first so near to 1; NaN if they never are.

    On the mean over a lag, so that neither noise nor a passage on the way counts.

    Args:
        ratio: shape (..., step).
        within: how near.
        lag: steps.
    """
    total = np.cumsum(np.abs(ratio - 1), axis=-1)
    there = total[..., lag:] - total[..., :-lag] <= lag * within
    return np.where(there.any(axis=-1), np.argmax(there, axis=-1) + (lag + 1) / 2, np.nan)


class Told(NamedTuple):
    """What predict is told of every training.

    Attributes:
        dimension: of embeddings.
        lag: steps.
        loss: its numbers.
    """

    dimension: int
    lag: int
    loss: dict[str, Any]

    @classmethod
    def of(cls, settings: Any) -> Told:
        """Those of an experiment's settings."""
        loss = {"batch_size": settings.pairs, "reduction": "mean"}
        return cls(settings.dimension, settings.lag, loss | {"temperature": settings.temperature})

    def ask(self, optimizer: Optimizer, norm: float, **more: Any) -> nt.prediction.Prediction:
        """The answer for one optimizer; of free embeddings, unless told otherwise."""
        given = {"dimension": self.dimension, "lag": self.lag, **self.loss, **optimizer.told}
        return nt.predict(norm, **(given | more))


def said(
    seen: Seen, optimizers: dict[str, Optimizer], told: Told, dimension: int, *, free: bool
) -> dict[str, np.ndarray]:
    """What predict says, by name, shape (optimizer,).

    Args:
        seen: the subject.
        optimizers: in their order.
        told: of the loss, for embeddings.
        dimension: of the subject.
        free: whether the loss is one of these rows; if not, numbers that need the size of the
            gradient can't be had without it.
    """
    found: dict[str, list[float]] = {}
    for k, one in enumerate(optimizers.values()):
        for kind in ("numbers", "slope"):
            more: dict[str, Any] = {"dimension": dimension}
            if not free:
                more |= {"batch_size": None, "reduction": None, "temperature": None}
            if kind == "slope":
                more["slope"] = float(seen.numbers["slope"][k])
            rows = told.ask(one, float(seen.start[k]), **more)
            blind = kind == "numbers" and not free and one.name in BY_SIZE
            for name, row in QUANTITIES.items():
                value = rows[row].value
                # The turn of all but Adam with L2 is the same whatever the size.
                if value is None or (blind and (name in ("norm", "steps") or one.name == "adam")):
                    value = math.nan
                elif name == "turn_lag":
                    value = math.acos(value)
                found.setdefault(f"{name}_{kind}", []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def floors(alignment: np.ndarray, told: Told, loss: str) -> dict[str, np.ndarray]:
    """The floor of the loss, and that at the alignments of optimizers; NaN where none is known."""

    def floor(s: float) -> float:
        value = nt.predict(1.0, 1.0, loss=loss, alignment=s, **told.loss)["loss_floor"].value
        return math.nan if value is None else value

    aligned = [floor(min(float(s), 1.0)) for s in alignment]
    return {"floor": np.full(len(alignment), floor(1.0)), "floor_aligned": np.array(aligned)}


def drawn_from_motion(
    looks: np.ndarray, optimizers: dict[str, Optimizer], lag: int
) -> dict[str, np.ndarray]:
    """Where the monitor says that embeddings go, from one step in every block.

    Args:
        looks: embeddings before and after a step, shape (block, 2, optimizer, run, row, d).
        optimizers: in their order.
        lag: steps of a block.

    Returns:
        ``implied``, the norm that D and s lead to, averaged over blocks; ``pull``, the share of D
        in what holds norms back, -D/(λρ² - D), λ as it acts in a step; NaN for Adam with L2, whose
        decay depends on the gradient.
    """
    implied, pull = [], []
    for k, one in enumerate(optimizers.values()):
        rate, monitor = one.told["learning_rate"], _monitor(one, lag)
        for number, both in enumerate(looks[:, :, k]):
            for later, z in enumerate(both.reshape(2, -1, both.shape[-1])):
                monitor.update(z, step=number * lag + later, learning_rate=rate, probe=z)
        seen = monitor.dataset
        decay = monitor.settings.pull
        if decay is None or "implied_norm" not in seen:
            implied.append(math.nan)
            pull.append(math.nan)
            continue
        drift = float(seen.drift.mean())
        square = float(np.mean(np.sum(looks[:, 0, k] ** 2, axis=-1)))
        implied.append(float(seen.implied_norm.mean()))
        pull.append(-drift / (decay * square - drift))
    return {"implied": np.array(implied), "pull": np.array(pull)}


def _monitor(optimizer: Optimizer, every: int) -> nt.Monitor:
    told = {name: x for name, x in optimizer.told.items() if name != "learning_rate"}
    return nt.Monitor(every=every, **told)
