"""The exact recursion of many pairs over many steps: the door to its loop.

Pairs don't interact, except that an ensemble stops together, when its mean cosine is high enough.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from normtheory._arrays import Array, check_count, check_flag, check_option, check_values, numbers
from normtheory._pair_loop import Pairs
from normtheory._range import quiet
from normtheory.pair import PairState, check_decay, check_pair, check_tolerance

__all__ = ["PairSimulation", "simulate_pairs"]

_CHUNK = 1 << 17  # steps in one compiled call: keeps the loop interruptible


@dataclass(frozen=True)
class PairSimulation:
    """What became of ensembles of pairs.

    Attributes:
        steps: updates until the mean cosine, measured before an update, reached 1 - tolerance; or
            ``max_steps``. int64, the broadcast shape without its last axis.
        converged: whether it did, same shape.
        angle: final angles in radians, the broadcast shape.
        norm_i: final norms of the first embeddings.
        norm_j: final norms of the second.
        recorded_steps: step numbers of the trajectory, shape (t,), or None.
        trajectory: states at those steps, each array (t, ...) with the broadcast shape behind, or
            None. An ensemble that has stopped keeps its last state.
    """

    steps: np.ndarray
    converged: np.ndarray
    angle: np.ndarray
    norm_i: np.ndarray
    norm_j: np.ndarray
    recorded_steps: np.ndarray | None = None
    trajectory: PairState | None = None


@functools.cache
def _loop() -> Callable[..., tuple[Pairs, np.ndarray, np.ndarray]]:
    """What advances pairs: compiled where there is JAX, as good in numpy where there isn't."""
    try:
        from normtheory._pair_loop_jax import advance
    except ModuleNotFoundError:
        from normtheory._pair_loop import advance
    return advance


@quiet
def simulate_pairs(
    angle: Array,
    norm_i: Array,
    norm_j: Array,
    learning_rate: Array,
    *,
    tolerance: float = 1e-3,
    max_steps: int = 1_000_000,
    record_every: int | None = None,
    gradscale: float = 0.0,
    weight_decay: Array = 0.0,
    repel: bool = False,
    stop_gradient: bool = False,
) -> PairSimulation:
    """Run ensembles of pairs by the exact step of SGD until they have converged.

    The last axis is the ensemble: it stops together, when its mean cosine, measured before an
    update, is at least 1 - tolerance. The axes before it are separate runs: one start of shape (n,)
    and norms of shape (13, 1) give 13 runs in one call. Another norm, rate, decay or tolerance does
    not compile anew; another shape does.

    Args:
        angle: starting angles in [0, π], shape (..., n); a number is an ensemble of one.
        norm_i: first norms, > 0, broadcasting with ``angle``.
        norm_j: second norms, > 0.
        learning_rate: γ > 0, the rate one pair sees; broadcasting.
        tolerance: on the mean cosine, a number in (0, 2).
        max_steps: give up after so many updates.
        record_every: record the states every so many steps, and the last.
        gradscale: power p of GradScale, a number.
        weight_decay: λ >= 0 with γλ < 1, of one pair (:func:`normtheory.pair_decay`);
            broadcasting.
        repel: push the pairs apart; there is no stop then but ``max_steps``, and ``converged`` is
            False.
        stop_gradient: only the first embedding of a pair moves (and decays).

    Returns:
        :class:`PairSimulation`, numpy float64.

    Raises:
        TypeError, ValueError: as :func:`normtheory.pair_step`; traced arrays and tensors that
            require grad; shapes that don't broadcast; an effective rate so large that the first
            step overflows; a run that leaves the range of floats.

    Example:
        >>> import numpy as np
        >>> start = np.array([0.5, 1.5, 2.5])
        >>> simulate_pairs(start, np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]), 0.02).steps
        array([111, 441])
    """
    start, first, second, rate, decay = numbers(
        "simulate_pairs",
        angle=angle,
        norm_i=norm_i,
        norm_j=norm_j,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    check_pair(start, first, second)
    check_values("learning_rate", rate, above=0.0)
    check_decay(rate, decay)
    check_tolerance(tolerance)
    power = check_option("gradscale", gradscale)
    repel, stop_gradient = (
        check_flag("repel", repel),
        check_flag("stop_gradient", stop_gradient),
    )
    check_count("max_steps", max_steps, 0)
    if record_every is not None:
        check_count("record_every", record_every, 1)
    full = np.broadcast_arrays(start, first, second, rate, decay)
    shape = full[0].shape or (1,)
    if shape[-1] == 0:
        raise ValueError(f"expected at least one pair in an ensemble, got shape {shape}")
    start, first, second, rate, decay = (x.reshape(-1, shape[-1]) for x in full)
    unit = _unit(first, second)
    rate_here, keep = rate * unit ** (power - 2), 1 - rate * decay
    first, second = first / unit, second / unit
    moving = [first] if stop_gradient else [first, second]
    x = np.maximum.reduce(
        [rate_here * r ** (power - 2) if power else rate_here / r**2 for r in moving]
    )
    if not (x < 1e150).all():
        raise ValueError(
            f"the effective learning rate reaches {np.nanmax(x):g}: expected below 1e150, "
            "or the first step overflows"
        )
    alike = np.array_equal(first, second)
    square_j = None if alike or stop_gradient else second * second
    pair = Pairs(np.cos(start), np.sin(start), first * first, square_j)
    # At pi exactly the pair rests; sin of the nearest float is not zero.
    pair = pair._replace(sine=np.where(start >= np.pi, 0.0, pair.sine))
    done = np.zeros(len(start), dtype=bool)
    limit = -1.0 if repel else float(tolerance)
    counts = np.zeros(len(start), dtype=np.int64)
    records: list[tuple[int, Pairs]] = [(0, pair)]
    begin, chunk = 0, record_every or _CHUNK
    while True:
        end = min(begin + chunk, max_steps)
        pair, now_done, reached = _loop()(
            pair,
            done,
            rate_here / keep,
            keep * keep,
            limit,
            begin,
            end,
            power=power,
            repel=repel,
            stop=stop_gradient,
        )
        counts = np.where(done, counts, reached)
        done, begin = now_done, end
        squares = [x for x in (pair.square_i, pair.square_j) if x is not None]
        moved = all(np.isfinite(x).all() for x in (pair.cosine, pair.sine, *squares))
        if not moved or not all((x > 0).all() for x in squares):
            raise ValueError(
                f"the recursion left the range of floats within {end} steps: expected norms "
                "that neither grow without limit (gradscale > 2) nor decay to nothing"
            )
        if record_every and counts.max() > records[-1][0]:
            records.append((int(counts.max()), pair))
        if done.all() or end >= max_steps:
            break
    lead = full[0].shape[:-1]

    def state(pair: Pairs) -> PairState:
        after_i = np.sqrt(pair.square_i) * unit
        after_j = after_i if pair.square_j is None else np.sqrt(pair.square_j) * unit
        arrays = (
            np.arctan2(pair.sine, pair.cosine),
            after_i,
            second * unit if stop_gradient else after_j,
        )
        return PairState(*(x.reshape(full[0].shape) for x in arrays))

    trajectory = None
    if record_every:
        trajectory = PairState(
            *(np.stack(x) for x in zip(*(state(p) for _, p in records), strict=True))
        )
    return PairSimulation(
        counts.reshape(lead)[()],
        done.reshape(lead)[()],
        *state(pair),
        recorded_steps=np.array([k for k, _ in records]) if record_every else None,
        trajectory=trajectory,
    )


def _unit(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A power of two near the larger norm, (rows, n).

    By the scale theorem the recursion runs the same in that unit, to the last bit.
    """
    _, exponent = np.frexp(np.maximum(first, second))
    return np.ldexp(1.0, exponent - 1)
