"""What came out of the experiment on images, in lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from simulations.encoders.relations import Estimate


def written(part: Estimate) -> str:
    """A value and its interval, if it has them."""
    value, low, high = (float(x) for x in part)
    if np.isnan(value):
        return "none"
    return f"{value:+.2f}" + ("" if np.isnan(low) else f" [{low:+.2f}, {high:+.2f}]")


def outcome(result: xr.Dataset) -> Iterator[str]:
    """Accuracies and rank correlations of every method, controls beside them.

    Args:
        result: of the experiment ``confidence``.
    """
    yield "shares of images held out that neighbours get right, and rank correlations with 95 %"
    yield "intervals for other classes and other networks:"
    for method in result.objective.values:
        one = result.sel(objective=method)
        means = one.accuracy.mean("run")
        shares = ", ".join(
            f"{k} {float(means.sel(classifier=k)):.3f}" for k in one.classifier.values
        )
        yield f"{method}: {shares}; by training {written(Estimate(*one.gain.values))}"
        for relation in one.relation.values:
            every, inside = (
                Estimate(*part) for part in one.correlation.sel(relation=relation).values
            )
            count = int(one.classes.sel(relation=relation))
            yield (
                f"  ({relation}): {written(every)}; within classes {written(inside)}, "
                f"{count} of them"
            )
