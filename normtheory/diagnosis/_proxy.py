"""Is the norm a signal of the target, or a proxy for what else is known of the samples?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from normtheory.diagnosis._adjusted import Adjusted, Gain
from normtheory.diagnosis._correlation import Correlation, spearman
from normtheory.diagnosis._quantity import PLAIN, quantity
from normtheory.diagnosis._verdict import SMALL, Verdict, judge

_FIXED = (
    "Spearman ρ of what least squares on third-degree polynomials in the ranks of the covariates "
    "leaves"
)


class Covariate(NamedTuple):
    """One covariate.

    Attributes:
        name: of it.
        norm: rank correlation with the norm.
        target: rank correlation with the target; None without a target.
        alone: that of norm and target with this one held fixed; None without a target.
    """

    name: str
    norm: Correlation
    target: Correlation | None
    alone: Correlation | None


@dataclass(frozen=True)
class ProxySummary:
    """The norm beside covariates and a target.

    Attributes:
        verdict: in a word and in a sentence; None without a target.
        sample: number of embeddings it was done on.
        norm_and_target: rank correlation; None without a target.
        held_fixed: the same with all covariates held fixed; None without either.
        gain: what the norm adds to the covariates (to nothing, without any) in telling the target.
        positive_classes: classes in which what ``held_fixed`` says is positive; None without labels
            or target.
        negative_classes: those in which it is negative.
        covariates: each of them.
    """

    verdict: Verdict | None = field(
        metadata=quantity(
            "verdict",
            "a signal: both intervals with covariates held fixed leave out 0; a proxy: the one of "
            "the correlation holds 0 and does not reach what it was; nothing: it holds 0 and lies "
            f"within ±{SMALL}, with and without them",
            PLAIN,
        )
    )
    sample: int = field(
        metadata=quantity("embeddings compared", "seeded draw without replacement", "option")
    )
    norm_and_target: Correlation | None = field(
        metadata=quantity("norm and target", "Spearman ρ", PLAIN)
    )
    held_fixed: Correlation | None = field(
        metadata=quantity("with covariates held fixed", _FIXED, "partial rank correlation")
    )
    gain: Gain | None = field(
        metadata=quantity(
            "what the norm adds to them",
            "difference with and without the rank of ‖z‖; least squares, each of 5 folds by the "
            "others",
            "cross-fitting; for two answers Fisher's linear discriminant",
        )
    )
    positive_classes: int | None = field(
        metadata=quantity(
            "classes where it is positive", "sign within classes of ten and more", PLAIN
        )
    )
    negative_classes: int | None = field(
        metadata=quantity("classes where it is negative", "the same", PLAIN)
    )
    covariates: tuple[Covariate, ...]


def summarise_proxy(
    norms: np.ndarray,
    covariates: Mapping[str, np.ndarray],
    target: np.ndarray | None,
    codes: np.ndarray | None,
    rng: np.random.Generator,
) -> ProxySummary:
    """From norms (n,), covariates (n,) by name, a target (n,) and classes (n,) without gaps."""
    columns, n = [*covariates.values()], len(norms)
    with_norm = {
        name: spearman(norms, column, rng, ("the norm", name), codes)
        for name, column in covariates.items()
    }
    if target is None:
        rows = tuple(Covariate(name, found, None, None) for name, found in with_norm.items())
        return ProxySummary(None, n, None, None, None, None, None, rows)
    raw = spearman(norms, target, rng, ("the norm", "the target"), codes)
    if raw.rho is None:
        alone = dict.fromkeys(covariates, raw)
        fixed, signs = raw if columns else None, None
        gain = Gain("", None, None, None, None, None, raw.why_not)
    else:
        compared = Adjusted(norms, target, codes, rng)
        alone = {name: compared.correlation([column]) for name, column in covariates.items()}
        fixed = compared.correlation(columns) if columns else None
        gain, signs = compared.gain(columns), compared.signs(columns)
    return ProxySummary(
        verdict=judge(raw, fixed, gain, alone),
        sample=n,
        norm_and_target=raw,
        held_fixed=fixed,
        gain=gain,
        positive_classes=None if signs is None else signs[0],
        negative_classes=None if signs is None else signs[1],
        covariates=tuple(
            Covariate(
                name,
                found,
                spearman(target, covariates[name], rng, ("the target", name), codes),
                alone[name],
            )
            for name, found in with_norm.items()
        ),
    )
