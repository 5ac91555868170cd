"""From the course of a training to its numbers, and to what the library says of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

import normtheory as nt
from normtheory.prediction import Prediction
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

    def ask(self, optimizer: Optimizer, norm: float, **more: Any) -> Prediction:
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


def floors(alignment: np.ndarray, told: Told, loss: str, items: int) -> dict[str, np.ndarray]:
    """Floors of the loss, shape (optimizer,).

    Args:
        alignment: mean cosine of partners, of every optimizer.
        told: of the loss.
        loss: as predict has it.
        items: that batches are drawn from.

    Returns:
        ``floor`` at full alignment, ``floor_aligned`` at the measured one, NaN where none is known;
        ``floor_drawn`` at full alignment with all items in place of the batch in the exponent.
    """

    def floor(s: float, pairs: int) -> float:
        given: dict[str, Any] = told.loss | {"batch_size": pairs}
        value = nt.predict(1.0, 1.0, loss=loss, alignment=s, **given)["loss_floor"].value
        return math.nan if value is None else value

    pairs, every = told.loss["batch_size"], np.ones(len(alignment))
    aligned = [floor(min(float(s), 1.0), pairs) for s in alignment]
    # ln(1 + k(n-1)e^…): only how many negatives there are is the batch's.
    negatives = math.expm1(floor(1.0, items)) * (pairs - 1) / (items - 1)
    return {
        "floor": floor(1.0, pairs) * every,
        "floor_aligned": np.array(aligned),
        "floor_drawn": math.log1p(negatives) * every,
    }


def pulled(course: Course, optimizers: dict[str, Optimizer], burn_in: int, lag: int) -> np.ndarray:
    """Share of the pull along embeddings in what shortens them, decay being the rest, by optimizer.

    In a step of SGD 2αηD of 2αηD - (1-α²)ρ², where ηD is the mean of z·z' - αρ². With momentum D
    has in it what earlier gradients still bring, and says nothing of the kind: NaN.
    """
    late, found = slice(burn_in * lag, None), []
    for k, one in enumerate(optimizers.values()):
        if one.name != "sgd":
            found.append(math.nan)
            continue
        keep = 1 - one.told["learning_rate"] * one.told["weight_decay"]
        square = course.square[k, :, 0, late].mean(axis=0)
        growth = (square[-1] - square[0]) / (len(square) - 1)
        inner = square.mean() + (growth - course.moved[k, :, 0, late].mean()) / 2
        pull = 2 * keep * (inner - keep * square.mean())
        found.append(pull / (pull - (1 - keep**2) * square.mean()))
    return np.array(found)


def implied(looks: np.ndarray, optimizers: dict[str, Optimizer], lag: int) -> np.ndarray:
    """The norm that D and s of single steps lead to, as the monitor says, by optimizer.

    The median over its looks; NaN for Adam with L2, whose decay depends on the gradient.

    Args:
        looks: embeddings before and after a step, shape (block, 2, optimizer, run, row, d).
        optimizers: in their order.
        lag: steps of a block.
    """
    found = []
    for k, one in enumerate(optimizers.values()):
        rate, monitor = one.told["learning_rate"], _monitor(one, lag)
        if monitor.settings.pull is None:
            found.append(math.nan)
            continue
        for number, both in enumerate(looks[:, :, k]):
            for later, z in enumerate(both.reshape(2, -1, both.shape[-1])):
                monitor.update(z, step=number * lag + later, learning_rate=rate, probe=z)
        seen = [record["implied_norm"] for record in monitor.records if "implied_norm" in record]
        found.append(float(np.median(seen)) if seen else math.nan)
    return np.array(found)


def _monitor(optimizer: Optimizer, every: int) -> nt.Monitor:
    told = {name: x for name, x in optimizer.told.items() if name != "learning_rate"}
    return nt.Monitor(every=every, **told)
