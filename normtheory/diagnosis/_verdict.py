"""Signal, proxy, nothing, or can't tell: from intervals to words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from normtheory.diagnosis._adjusted import Gain
from normtheory.diagnosis._correlation import Correlation

SMALL = 0.3
"""A rank correlation whose interval lies within ± this is taken for nothing."""


class Verdict(NamedTuple):
    """What the norm is to the target.

    Attributes:
        kind: "signal", "proxy", "nothing" or "can't tell".
        proxy_for: names of the covariates that account for it; empty unless it is a proxy.
        sentence: the same in words, with the reason.
    """

    kind: str
    proxy_for: tuple[str, ...]
    sentence: str


def judge(
    raw: Correlation, fixed: Correlation | None, gain: Gain, alone: Mapping[str, Correlation]
) -> Verdict:
    """From the correlation of norm and target to what it means.

    A signal: with covariates held fixed the interval leaves out 0, and so does that of the gain. A
    proxy: the correlation is there, its interval with covariates held fixed holds 0 and does not
    reach it. Nothing: neither interval leaves out 0 or reaches beyond ±``SMALL``. Two intervals
    that must both leave out 0 call a proxy a signal in fewer draws than one of them would.

    Args:
        raw: norm and target.
        fixed: the same with all covariates held fixed; None without covariates.
        gain: of the norm over the covariates.
        alone: the same with each covariate held fixed alone, by its name.
    """
    if fixed is None:
        return _without_covariates(raw)
    if fixed.low is None or fixed.high is None:
        if fixed.rho is None and raw.sign:
            return _proxy(raw, alone, fixed.why_not)
        return _open(f"{fixed.why_not or raw.why_not}")
    if fixed.sign and gain.sign > 0:
        word = "larger" if fixed.sign > 0 else "smaller"
        turned = raw.sign * fixed.sign < 0
        return Verdict(
            "signal",
            (),
            f"signal: with {_listed(alone)} held fixed, {word} norms still go with a larger target"
            + (", the other way round than without" if turned else "")
            + f", and the norm adds {gain.value:.3f} to the {gain.measure} of "
            + f"{'it' if len(alone) == 1 else 'them'}",
        )
    if fixed.sign:
        return _open(
            "the correlation stays with covariates held fixed, but on samples that were not fitted "
            "the norm adds nothing that could be told from 0"
        )
    if raw.sign:
        reached = fixed.high if raw.sign > 0 else -fixed.low
        if reached < abs(raw.rho or 0.0):
            return _proxy(raw, alone, f"what is left lies in [{fixed.low:+.2f}, {fixed.high:+.2f}]")
        return _open(
            "with covariates held fixed the interval holds both 0 and the whole correlation: more "
            "samples would tell"
        )
    return _no_relation(raw, fixed)


def _without_covariates(raw: Correlation) -> Verdict:
    if raw.low is None:
        return _open(raw.why_not)
    if raw.sign:
        return _open(
            "the norm goes with the target, but no covariates were given to tell a signal from a "
            "proxy"
        )
    return _no_relation(raw)


def _no_relation(*found: Correlation) -> Verdict:
    ends = [end for c in found for end in (c.low, c.high) if end is not None]
    if len(ends) == 2 * len(found) and max(map(abs, ends)) <= SMALL:
        return Verdict(
            "nothing", (), f"nothing: a correlation beyond ±{max(map(abs, ends)):.2f} is ruled out"
        )
    return _open(f"the intervals hold 0, and also correlations beyond ±{SMALL}")


def _proxy(raw: Correlation, alone: Mapping[str, Correlation], left: str) -> Verdict:
    """For the covariate that leaves least, if one is enough, else for all of them."""
    enough = {
        name: abs(c.rho or 0.0)
        for name, c in alone.items()
        if c.rho is None or (c.low is not None and not c.sign and abs(c.rho) < abs(raw.rho or 0.0))
    }
    best = sorted(enough, key=enough.__getitem__)
    names = tuple(best[:1] or alone)
    others = f" (so would {_listed(best[1:], 'or')})" if best[1:] else ""
    return Verdict(
        "proxy",
        names,
        f"proxy for {_listed(names)}{others}: held fixed, the norm tells no more of the target; "
        f"{left}",
    )


def _open(why: str) -> Verdict:
    return Verdict("can't tell", (), f"can't tell: {why}")


def _listed(names: Mapping[str, object] | tuple[str, ...] | list[str], word: str = "and") -> str:
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
