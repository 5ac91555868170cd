"""What in a training deserves a warning, from where on, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from normtheory.flow import FLOW_LIMIT
from normtheory.monitoring._settings import Settings

ABOVE = 2.0
"""Norm over that of the balance from which on it is worth a word."""

STABLE = 1.0
"""Effective rate of two equal norms up to which a step contracts a pair (claim stability)."""

SPREAD = 4.0
"""Slowdown of the largest tenth that is worth a word."""

GROWN = 2.0
"""Growth of the median norm without decay that is worth a word."""

ONE_WAY = 0.95
"""Length of the mean direction from which on all directions are about the same."""

SAME_NORM = 0.005
"""Distance of the percentiles from 1 up to which norms were divided out (bfloat16 rounds so)."""

Records = Sequence[dict[str, float]]


def alarms(records: Records, settings: Settings, bad: Sequence[str]) -> tuple[str, ...]:
    """The warnings on the last record, one sentence each, the gravest first.

    Args:
        records: of all updates.
        settings: of the monitor.
        bad: what was wrong with rows, in order.
    """
    said = [
        look(records, settings)
        for look in (_normalised, _collapsed, _balance, _overshoot, _growth, _spread)
        if any("norm_50" in x for x in records)
    ]
    rows = sum(x["bad_rows"] for x in records)
    if rows:
        said.append(f"{rows:.0f} rows were of no use and left out, the first: {bad[0]}")
    return tuple(sentence for sentence in said if sentence)


def _last(records: Records, name: str) -> float | None:
    """The newest value of a number that not every record has."""
    return next((x[name] for x in reversed(records) if name in x), None)


def _normalised(records: Records, settings: Settings) -> str | None:
    low, high = _last(records, "norm_05"), _last(records, "norm_95")
    if low is None or high is None or max(high - 1, 1 - low) > SAME_NORM:
        return None
    return (
        "all norms are 1: these embeddings look normalised; hand over those before "
        "the division by the norm"
    )


def _collapsed(records: Records, settings: Settings) -> str | None:
    length = _last(records, "resultant")
    if length is None or length < ONE_WAY:
        return None
    return (
        f"collapsed: the directions share a mean of length {length:.3f}, so nearly all point the "
        "same way; a loss without negatives needs its stop-gradient or centring"
    )


def _balance(records: Records, settings: Settings) -> str | None:
    """Norms far above where they will end: of measured displacements in an encoder."""
    name = "implied_norm" if settings.encoder else "predicted_norm"
    norm, there = _last(records, "norm_50"), _last(records, name)
    if norm is None or there is None or norm < ABOVE * there:
        return None
    times = norm / there
    slower = times ** (settings.power or 2)
    if settings.encoder:
        return (
            f"norms are {times:.1f} times the norm that the measured drift and heat lead to "
            f"({there:.3g}): if those stay, directions turn {slower:.1f} times more slowly than "
            f"they will; divide the embeddings by about {times:.1f} (last layer, or nt.cut_init)"
        )
    return (
        f"norms are {times:.1f} times the equilibrium of this decay ({there:.3g}): directions turn "
        f"{slower:.1f} times more slowly than they will; start with embeddings divided by "
        f"{times:.1f} (nt.cut_init), or a larger rate until then"
    )


def _overshoot(records: Records, settings: Settings) -> str | None:
    rate, median, low = (_last(records, x) for x in ("effective_rate", "norm_50", "norm_05"))
    if settings.optimizer != "sgd" or settings.batch_size is None or settings.encoder:
        return None
    if rate is None or median is None or low is None:
        return None
    high = rate * (median / low) ** 2
    if high < STABLE:
        return None
    return (
        f"the effective rate reaches {high:.3g} at the 5th percentile of the norms: from "
        f"{STABLE:g} on a pair overshoots (claim stability); divide the learning rate by "
        f"{high / FLOW_LIMIT:.2g}"
    )


def _growth(records: Records, settings: Settings) -> str | None:
    found = [x for x in records if "norm_50" in x]
    times = found[-1]["norm_50"] / found[0]["norm_50"]
    shrinking = _last(records, "shrinking")
    if settings.weight_decay or times < GROWN or (shrinking is not None and shrinking > 0.5):
        return None
    slower = times ** (settings.power or 2)
    return (
        f"norms have grown {times:.1f} times since step {found[0]['step']:.0f} and no decay "
        f"shrinks them: directions turn about {slower:.1f} times more slowly; give the optimizer a "
        "weight decay, or raise its rate as they grow"
    )


def _spread(records: Records, settings: Settings) -> str | None:
    measured, predicted = _last(records, "slowdown"), _last(records, "predicted_slowdown")
    slower = measured if settings.encoder or predicted is None else predicted
    if slower is None or slower < SPREAD:
        return None
    remedy = (
        "a weight decay brings the norms together"
        if settings.power == 1
        else "nt.grad_scale takes the norm out of the gradient (power 1 leaves its square root, 2 "
        "nothing)"
    )
    return (
        f"the largest tenth of the norms turns {slower:.1f} times more slowly than the smallest; "
        f"{remedy}"
    )
