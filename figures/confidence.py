"""Is the norm a confidence? Accuracy in buckets of the norm, and strangers, on real images."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from figures import BLUE, PAGE, VERMILION, Row
from figures._captions import count, listed, settings

LEAST = 10  # samples in a bucket that is looked at, as in the paper's read-off numbers
COLOURS = (BLUE, VERMILION)


def accuracy(result: xr.Dataset, rule: str = "") -> xr.DataArray:
    """Accuracy in every bucket over all runs; NaN where a run has fewer than ten on average.

    Args:
        result: of the experiment ``confidence``.
        rule: nothing for images held out, ``authors_`` for the rule of the paper's code.
    """
    count, right = result[f"{rule}count"].sum("run"), result[f"{rule}right"].sum("run")
    enough = count >= LEAST * result.sizes["run"]
    return (right / count.where(enough)).rename("accuracy")


def ends(result: xr.Dataset, objective: str, rule: str = "") -> tuple[float, float]:
    """Accuracy in the first and the last bucket with enough samples; NaN if there is none."""
    found = accuracy(result, rule).sel(objective=objective).dropna("bucket").values
    return (float(found[0]), float(found[-1])) if len(found) else (np.nan, np.nan)


def correlation(result: xr.Dataset, objective: str) -> tuple[float, float, int]:
    """Rank correlation of norm and being right, over the runs that have one.

    A run has none where fewer than ten votes are right, or wrong.

    Args:
        result: of the experiment ``confidence``.
        objective: one in it.

    Returns:
        Mean over runs, half the width of its 95 % interval for other classes and networks, and the
        number of runs; NaN where there is none.
    """
    values = result.spearman.sel(objective=objective, part="value").dropna("run").values
    _, low, high = related(result, objective, "norm, right")
    half = (high - low) / 2
    return float(values.mean()) if len(values) else np.nan, half, len(values)


def related(
    result: xr.Dataset, objective: str, relation: str, scope: str = "all images"
) -> tuple[float, float, float]:
    """A rank correlation and its interval, for other classes and networks.

    Args:
        result: of the experiment ``confidence``.
        objective: one in it.
        relation: what is compared.
        scope: all images or within classes.
    """
    part = result.correlation.sel(objective=objective, relation=relation, scope=scope)
    value, low, high = (float(x) for x in part.values)
    return value, low, high


def draw(result: xr.Dataset) -> Figure:
    """Accuracy against the norm, rank correlations, and areas under curves.

    Args:
        result: of the experiment ``confidence``.

    Returns:
        The figure.
    """
    figure, (buckets, paper, strangers) = plt.subplots(
        1, 3, figsize=(PAGE, 2.9), width_ratios=(1.25, 1, 1)
    )
    mean = accuracy(result)
    for i, objective in enumerate(result.objective.values):
        color, one = COLOURS[i], result.sel(objective=objective)
        few = one["count"] < LEAST
        for run in result.run.values:
            value = (one.right / one["count"].where(~few)).sel(run=run)
            buckets.plot(value.bucket, value, color=color, lw=0.6, alpha=0.4)
        value, half, _ = correlation(result, objective)
        label = f"{objective}: ρ = {value:.2f}" + ("" if np.isnan(half) else f" ± {half:.2f}")
        buckets.plot(mean.bucket, mean.sel(objective=objective), "o-", color=color, label=label)
        authors = accuracy(result, "authors_").sel(objective=objective)
        buckets.plot(mean.bucket, authors, "--", color=color, lw=0.9)
        share = one.authors_right / one.authors_count.where(one.authors_count >= LEAST)
        span = share.min("run"), share.max("run")
        buckets.fill_between(mean.bucket, *span, color=color, alpha=0.12, lw=0)
    buckets.set(xlabel="norm (min-max scaled)", ylabel="10-NN accuracy in bucket", ylim=(0, 1.4))
    buckets.set_yticks([0, 0.25, 0.5, 0.75, 1])
    buckets.set_title("held-out images")
    buckets.legend(loc="upper left")
    names = [*result.paper_data.values, "here"]
    for i, objective in enumerate(result.paper_objective.values):
        for j, name in enumerate(names):
            if name == "here":
                if objective not in result.objective.values:
                    continue
                first, last = ends(result, objective)
            else:
                first, last = result.published.sel(paper_objective=objective, paper_data=name)
            x = j + 0.24 * (i - 0.5)
            paper.plot([x, x], [first, last], "-", color=COLOURS[i], lw=1)
            paper.plot([x], [first], "o", mfc="white", color=COLOURS[i])
            label = str(objective) if j == 0 else None
            paper.plot([x], [last], "o", color=COLOURS[i], label=label)
    paper.set(ylim=(0, 1.4), xlabel="data", ylabel="accuracy, first and last bucket")
    paper.set_yticks([0, 0.25, 0.5, 0.75, 1])
    paper.set_xticks(range(len(names)), [n.replace("-", "\n", 1) for n in names])
    paper.set_title("paper's plots, and here")
    paper.legend(loc="upper left")
    for i, objective in enumerate(result.objective.values):
        values = result.auroc.sel(objective=objective).transpose("run", "stranger").values
        x = np.arange(values.shape[1]) + 0.24 * (i - 0.5)
        strangers.plot(x, values.T, "o", mfc="none", ms=3, color=COLOURS[i])
        strangers.plot(x, values.mean(axis=0), "_", ms=12, color=COLOURS[i])
    strangers.axhline(0.5, color="0.7", lw=0.9)
    strangers.set(ylim=(-0.05, 1.05), xlabel="strangers", ylabel="AUROC of the norm")
    strangers.set_xticks(
        range(result.sizes["stranger"]), [n.replace(" ", "\n") for n in result.stranger.values]
    )
    strangers.set_xlim(-0.5, result.sizes["stranger"] - 0.5)
    strangers.set_title("trained classes against")
    return figure


def caption(result: xr.Dataset) -> str:
    """What the panels show, of how many images and runs."""
    s = settings(result)
    lengths = {"SimCLR": s.steps, "SimSiam": s.siamese_steps}
    trained = listed(f"{name} ({lengths[name]:,} steps)" for name in result.objective.values)
    return (
        f"Is the norm a confidence? Encoders trained by {trained} on images ({s.data}, at most "
        f"{s.per_class:,} of a class, {s.held_out:.0%} held out), d = {s.dimension}, batches of "
        f"{s.pairs} pairs, {count(s.runs, 'run')} with splits of their own, seed {s.seed}. (a) "
        f"Accuracy of a vote of {s.neighbours} neighbours in {s.buckets} buckets of the norm, of "
        "held-out images: thick lines pool the runs, thin ones are single runs, so there are no "
        "bars; a bucket is shown where it holds at least "
        f"{LEAST} images a run on average. Dashed: the rule of the paper's code, images trained on "
        "among their own neighbours, pooled as well; its band is from the lowest run to the "
        "highest. ± is half of the 95 % interval of the rank correlation, for other classes and "
        "networks. (b) Accuracy in the first such bucket (open) and the last (filled), in the "
        "paper's plots, one network each, and pooled here. (c) Area under the ROC curve of the "
        "norm, trained classes against strangers: circles are runs, dashes their means."
    )


def rows(result: xr.Dataset) -> list[Row]:
    """Rank correlations with intervals, accuracy at both ends, and areas under curves.

    A ± is half of the 95 % interval for other classes and networks. Whether a correlation is above
    0 is asked of every run by itself too: of the bootstrap interval over its images.

    Args:
        result: of the experiment ``confidence``.
    """
    found = []
    for objective in result.objective.values:
        one = result.sel(objective=objective)
        value, half, runs = correlation(result, objective)
        above = int((one.spearman.sel(part="low") > 0).sum())
        spread = "" if np.isnan(half) else f" (± {half:.2f}, over classes and {runs} runs)"
        count = f"above 0 in {above} of {result.sizes['run']}"
        name = f"ρ(norm, right), {objective}{spread}, {count}"
        found.append(Row(name, None, None, value))
        for relation in one.relation.values:
            for scope in one.scope.values:
                if (relation, scope) == ("norm, right", "all images"):
                    continue
                value, low, high = related(result, objective, relation, scope)
                if np.isfinite(value):
                    range_ = "" if np.isnan(low) else f" [{low:+.2f}, {high:+.2f}]"
                    found.append(
                        Row(f"ρ({relation}), {scope}, {objective}{range_}", None, None, value)
                    )
        for name in one.classifier.values:
            share = float(one.accuracy.sel(classifier=name).mean())
            found.append(Row(f"accuracy of neighbours, {name}, {objective}", None, None, share))
        for end, value in zip(("first", "last"), ends(result, objective), strict=True):
            if np.isfinite(value):
                found.append(Row(f"accuracy in the {end} bucket, {objective}", None, None, value))
        for end, value in zip(("first", "last"), ends(result, objective, "authors_"), strict=True):
            if np.isfinite(value):
                rule = "by the authors' rule"
                found.append(
                    Row(f"accuracy in the {end} bucket {rule}, {objective}", None, None, value)
                )
        for stranger in result.stranger.values:
            area = float(one.auroc.sel(stranger=stranger).mean())
            found.append(Row(f"AUROC against {stranger}, {objective}", None, None, area))
    return found
