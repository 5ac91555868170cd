"""Why does a loss break the law? Measure what it does to changes of the norms, then say so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from normtheory.testing._draw import Example, source
from normtheory.testing._laws import Laws, row_norms
from normtheory.testing._norm_range import SEARCH, law_range


@dataclass(frozen=True)
class Measured:
    """Exponents of the gradient norm against the embedding norm; -1 is the law.

    Attributes:
        whole: the whole cloud scaled.
        single: one row scaled, its own gradient.
    """

    whole: float
    single: float


def _slope(norms: np.ndarray, gradients: np.ndarray) -> float:
    usable = (gradients > 0) & np.isfinite(gradients)
    if usable.sum() < 2:
        return math.nan
    return float(np.polyfit(np.log(norms[usable]), np.log(gradients[usable]), 1)[0])


def exponents(laws: Laws, unit: np.ndarray, norms: tuple[float, float]) -> Measured:
    """Fit ‖∇L‖ ∝ ρ^exponent over a range of norms, to a cloud of norm 1, shape (n, d)."""
    grid = np.geomspace(*norms, 7)
    whole, single = [], []
    steep = int(np.argmax(row_norms(laws.scale_free(laws.norm * unit)[0])))
    for norm in grid:
        whole.append(np.linalg.norm(laws.evaluator.slope(norm * unit).gradient))
        cloud = laws.norm * unit
        cloud[steep] = norm * unit[steep]
        single.append(np.linalg.norm(laws.evaluator.slope(cloud).gradient[steep]))
    return Measured(_slope(grid, np.array(whole)), _slope(grid, np.array(single)))


def likely_cause(laws: Laws, unit: np.ndarray, norms: tuple[float, float], tolerance: float) -> str:
    """The likely cause in words, with the number that speaks for it.

    Args:
        laws: measured on the loss.
        unit: a cloud of norm 1, shape (n, d).
        norms: the range in which the law was found to fail.
        tolerance: as that of the law.

    Returns:
        One or two sentences.
    """
    cloud = laws.norm * unit
    spread = Example(cloud, np.geomspace(0.5, 2.0, len(unit)))
    wide = [Example(cloud, np.full(len(unit), norm / laws.norm)) for norm in norms]
    for example, norm in zip(wide, norms, strict=True):
        value = laws.evaluator.value(example.cloud)
        if not np.isfinite(value):
            return f"the loss is {value} at norm {norm:g}: it overflows or divides by zero"
    alone, together = laws.invariant(spread), max(map(laws.invariant, wide))
    if max(alone, together) > tolerance:
        if together <= tolerance:
            return _mixed_rows(laws, cloud, tolerance)
        return _epsilon(laws, unit, norms) or _depends_on_norm(laws, cloud)
    return _gradient_of_something_else(laws, unit, norms, tolerance)


def _mixed_rows(laws: Laws, cloud: np.ndarray, tolerance: float) -> str:
    """The loss ignores a scaling of all rows at once, not of one: rows meet before they lose it."""
    rng = source(laws.seed, 2)
    d = cloud.shape[1]
    _, size = laws.sizes(cloud.shape)

    def ignores(other: np.ndarray) -> bool:
        # Loose: an epsilon in a variance must not hide what the loss is.
        change = abs(laws.evaluator.value(other) - laws.evaluator.value(cloud)) / size
        return change <= max(tolerance, 1e-3)

    if not ignores(cloud + laws.norm * rng.standard_normal((1, d))):
        reason = "the norms of different rows are compared or summed"
    elif ignores(cloud @ (np.eye(d) + 0.3 * rng.standard_normal((d, d)))):
        reason = "no linear map of the cloud matters: it is whitened (W-MSE)"
    elif ignores(cloud * np.exp(rng.uniform(-1, 1, d))):
        reason = "each feature is standardised over the batch (batch norm, Barlow Twins, whitening)"
    elif ignores(_reweighted_about_mean(cloud)):
        reason = "centring before normalisation: only directions from the mean of the batch matter"
    else:
        reason = "statistics of the batch enter: it is centred, and perhaps whitened"
    return (
        f"the loss ignores a common scale but not the norm of a single row; {reason}. What is "
        "normalised over the batch hides a common rescaling: the exponent is -1 when all norms "
        "move together, and tends to 0 for one row's own norm"
    )


def _reweighted_about_mean(cloud: np.ndarray) -> np.ndarray:
    """Stretch the rows about their mean by different factors that leave the mean where it is."""
    mean = cloud.mean(axis=0)
    centred = cloud - mean
    # Weights k with kᵀ centred = 0 and no part along (1, ..., 1), which would be a common scale.
    conditions = np.column_stack([centred / np.linalg.norm(centred), np.ones(len(cloud))])
    left, singular, _ = np.linalg.svd(conditions, full_matrices=True)
    free = left[:, int((singular > 1e-9 * singular[0]).sum()) :]
    if free.shape[1] == 0:
        return cloud  # too few rows to tell; then centring it is, the likeliest
    weights = free[:, 0] / np.abs(free[:, 0]).max()
    return mean + (1 + 0.5 * weights)[:, None] * centred


def _epsilon(laws: Laws, unit: np.ndarray, norms: tuple[float, float]) -> str:
    """Describe the epsilon of a loss that obeys at large norms only; empty if it is none."""
    ends = SEARCH[laws.evaluator.dtype]
    ends = (min(ends[0], norms[0]), max(ends[1], norms[1]))
    low, high = law_range(laws, unit, ends)
    if not (low > 0 and high == math.inf):
        return ""
    anchor = laws.scale_free(100 * low * unit)[0]

    def change(norm: float) -> float:
        off = row_norms(laws.scale_free(norm * unit)[0] - anchor).max()
        return float(off / row_norms(anchor).max())

    near, far = change(low * 1.02), change(10 * low)
    single = _single_row_edge(laws, unit)
    if near < 1e-4:  # it is not felt at all above an edge
        product = single < low / 30
        size = low * low if product else low
        where = "the least value of a product of two norms" if product else "the least norm"
    elif far > near / 30:  # it fades like 1/ρ
        size, where = 0.01 * low, "added to a norm"
    else:
        size, where = 0.01 * low * low, "added to a squared norm or to a product of two norms"
    if size > 0.1:  # no epsilon, but a loss that forgets the norm when it is large
        return ""
    return (
        f"an epsilon of about 1e{np.round(np.log10(size)):.0f} dominates below norm {low:.1g} "
        f"({where}); from there up the law holds to 1 %"
    )


def _single_row_edge(laws: Laws, unit: np.ndarray) -> float:
    """The first power of ten for one row, the others at norm 1, at which the law fails."""
    for decade in range(1, 16):
        factors = np.ones(len(unit))
        factors[0] = 10.0**-decade
        if laws.inverse_norm(Example(unit, factors)) > 0.01:
            return float(factors[0])
    return 0.0


def _depends_on_norm(laws: Laws, cloud: np.ndarray) -> str:
    values = [laws.evaluator.value(k * cloud) for k in (1.0, 2.0, 4.0)]
    first, second = values[1] - values[0], values[2] - values[1]
    told = f"the loss depends on the norm: L(2z) - L(z) = {first:.3g}"
    if first == 0 or not second / first > 0:
        return told
    power = np.log2(second / first)
    growth = "the logarithm of the norm" if abs(power) < 0.05 else f"norm^{power:.2f}"
    return (
        f"{told}, L(4z) - L(2z) = {second:.3g}, so near norm {laws.norm:.3g} it goes like {growth}"
    )


def _gradient_of_something_else(
    laws: Laws, unit: np.ndarray, norms: tuple[float, float], tolerance: float
) -> str:
    """The value is invariant, so the gradient isn't its derivative."""
    told = "the value does not depend on the norm, so the gradient is not its derivative: "
    cloud = laws.norm * unit
    if laws.orthogonal(Example(cloud, np.ones(len(unit)))) > tolerance:
        return told + "it has a radial part, as where the gradient is stopped through the norm"
    power = exponents(laws, unit, norms).whole + 1
    if abs(power) > 0.01:
        return told + (
            f"the backward pass multiplies it by norm^{power:.2f} (GradScale, or clipped gradients)"
        )
    return told + "is a part of the loss stopped, or the precision too low for this range of norms?"
