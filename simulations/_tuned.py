"""Settings at their best rates, compared in pairs: accuracy, steps to a target, and verdicts.

What ``interventions`` has trained, judged as its design in docs/networks.md says.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from simulations.encoders.measures import holm, interval, steps_to_reach

PAPER_RATE = {"SimCLR": 0.36, "SimSiam": 0.04}
"""The largest rate that the schedule of the paper's code reaches, the square of its setting."""
PAPER_CUT = {"SimCLR": 3.0, "SimSiam": 9.0}
"""The paper's c for contrastive and for other methods."""
SHARE = 0.9
"""Of the way from untrained networks to the best, or of the best: where steps are counted."""
MARGINS = {"accuracy": 0.02, "speed": float(np.log(1.25)), "early": float(np.log(1.25))}
"""Of an effect that would matter: accuracy, and the logarithm of the ratio of steps.

"early" counts steps to 90 % of the best accuracy itself; it is no part of the design, and was added
when the first results had shown that half of the runs never come as far as "speed" asks.
"""


class Choice(NamedTuple):
    """One c and p at one of its rates.

    Attributes:
        rate: that was chosen.
        inside: whether it is neither the smallest nor the largest of its grid.
        accuracy: on test images at the end, shape (runs,).
        steps: to the target on test images, infinite where it is never reached, shape (runs,).
        curve: accuracy on test images, shape (runs, looks).
    """

    rate: float
    inside: bool
    accuracy: np.ndarray
    steps: np.ndarray
    curve: np.ndarray


def target(one: xr.Dataset, by: str = "speed") -> float:
    """The validation accuracy at which steps are counted.

    Args:
        one: a result at one encoder, method and length.
        by: "speed", 90 % of the way from networks before training (c = 1) to the best mean of all
            c, p and rates at the end; "early", 90 % of that best mean.
    """
    mean = one.validation.mean("run")
    floor = 0.0 if by == "early" else float(mean.isel(cut=0, power=0, place=0, look=0))
    return floor + SHARE * (float(mean.isel(look=-1).max()) - floor)


def choices(one: xr.Dataset, by: str, *, paper: bool = False) -> dict[tuple[float, float], Choice]:
    """Every c and p at its best rate.

    Args:
        one: a result at one encoder, method and length.
        by: "accuracy", the highest mean validation accuracy at the end; "speed" or "early", the
            fewest mean steps to that target on validation images, a run that never gets there
            counting as all steps.
        paper: choose nothing, take the paper's rate.
    """
    goal, length = target(one, by), float(one.length)
    step = one.look.values * length
    found = {}
    for c, p in product(one.cut.values, one.power.values):
        at = one.sel(cut=c, power=p)
        if paper:
            curve, place, rate = at.paper_test, 1, PAPER_RATE[str(one.objective.values)]
        else:
            seen = at.validation.transpose("place", "run", "look").values
            steps = np.minimum(steps_to_reach(seen, step, goal), length).mean(axis=1)
            worth = seen[..., -1].mean(axis=1) if by == "accuracy" else -steps
            place = int(worth.argmax())
            curve, rate = at.test.isel(place=place), float(at.rate[place])
        curve = curve.transpose("run", "look").values
        inside = 0 < place < one.sizes["place"] - 1
        reached = steps_to_reach(curve, step, goal)
        found[float(c), float(p)] = Choice(rate, inside, curve[:, -1], reached, curve)
    return found


class Comparison(NamedTuple):
    """One c and p against c = 1, p = 0, paired by seed.

    Attributes:
        encoder: that is trained.
        objective: likewise.
        length: in steps.
        cut: c.
        power: p.
        measure: "accuracy" at the end, or "speed" or "early", the logarithm of the ratio of steps.
        gain: mean over runs; positive is better than c = 1, p = 0.
        half: half width of its 95 % interval.
        p_value: of Student's test of paired differences; of those decided on adjusted (Holm).
        decided: whether it is among those that a verdict is given on.
        verdict: in words.
    """

    encoder: str
    objective: str
    length: int
    cut: float
    power: float
    measure: str
    gain: float
    half: float
    p_value: float
    decided: bool
    verdict: str


HELPS, HARMS, NONE, UNRESOLVED = "helps", "harms", "no effect that matters", "not resolvable here"


def judge(gain: float, half: float, p_value: float, margin: float, *, usable: bool) -> str:
    """The verdict on one comparison.

    Args:
        gain: mean.
        half: of its 95 % interval.
        p_value: adjusted.
        margin: of an effect that would matter.
        usable: whether nearly all runs reached the target, where that was asked.
    """
    if not usable or not np.isfinite(p_value):
        return UNRESOLVED
    if abs(gain) + half < margin:
        return NONE
    if p_value < 0.05:
        return HELPS if gain > 0 else HARMS
    return UNRESOLVED


def _paired(measure: str, base: Choice, other: Choice, length: float) -> tuple[np.ndarray, bool]:
    """Differences of every run, and whether they can be used."""
    if measure == "accuracy":
        return other.accuracy - base.accuracy, True
    lost = max(float(np.isinf(c.steps).mean()) for c in (base, other))
    # From one step on: a network may begin beyond the target.
    before, after = (np.clip(c.steps, 1, length) for c in (base, other))
    return np.log(before / after), lost <= 0.2


def _student(change: np.ndarray) -> float:
    """The two-sided p value of a mean of 0; NaN where it can't be asked."""
    if len(change) < 2 or (change == change[0]).all():
        return float("nan")
    found: Any = stats.ttest_1samp(change, 0.0)
    return float(found.pvalue)


def comparisons(result: xr.Dataset, *, paper: bool = False) -> list[Comparison]:
    """Every c and p against c = 1, p = 0 at tuned rates, or at the paper's one.

    Verdicts are given on the paper's c for the method (p = 0) and on p = 1 (c = 1), adjusted over
    all encoders, methods and lengths, for each measure by itself.

    Args:
        result: of the experiment.
        paper: at the paper's rate.
    """
    return [
        one
        for measure, margin in MARGINS.items()
        for one in _judged(_measured(result, measure, paper), margin)
    ]


def _measured(result: xr.Dataset, measure: str, paper: bool) -> list[tuple[Comparison, bool]]:
    """Comparisons of one measure before they are judged, and whether they can be used."""
    found = []
    for e, m, n in product(result.encoder.values, result.objective.values, result.length.values):
        every = choices(result.sel(encoder=e, objective=m, length=n), measure, paper=paper)
        base = every.pop((1.0, 0.0))
        for (c, p), other in every.items():
            change, usable = _paired(measure, base, other, float(n))
            one = Comparison(
                encoder=str(e),
                objective=str(m),
                length=int(n),
                cut=c,
                power=p,
                measure=measure,
                gain=float(change.mean()),
                half=float(interval(change)),
                p_value=_student(change),
                decided=(c, p) in ((PAPER_CUT[str(m)], 0.0), (1.0, 1.0)),
                verdict="",
            )
            found.append((one, usable))
    return found


def _judged(found: list[tuple[Comparison, bool]], margin: float) -> list[Comparison]:
    """Those that are decided on with their adjusted p value and verdict, the others as they are."""
    asked = [one.p_value for one, _ in found if one.decided]
    adjusted = iter(holm(np.nan_to_num(asked, nan=1.0)))
    done = []
    for one, usable in found:
        if one.decided:
            p_value = float(next(adjusted))
            verdict = judge(one.gain, one.half, p_value, margin, usable=usable)
            one = one._replace(p_value=p_value, verdict=verdict)
        done.append(one)
    return done
