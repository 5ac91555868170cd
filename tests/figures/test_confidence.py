"""What the figure of the norm as a confidence says about runs: means, and intervals of means."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import figures
from figures import confidence

CORRELATIONS = np.array([[0.10, 0.16, 0.25], [0.02, -0.03, 0.04]])
HALF_BOOTSTRAP = 0.09  # of every run
HALF = np.array([0.12, 0.31])  # for other classes and networks
RELATIONS, SCOPES = ("norm, right", "contrast, right"), ("all images", "within classes")


@pytest.fixture
def result() -> xr.Dataset:
    """Three runs of two methods, with intervals of runs that aren't the interval of their mean."""
    rng = np.random.default_rng(0)
    count = np.full((2, 3, 5), 40)
    count[:, :, 0], count[0, :, 4] = 4, (5, 12, 13)  # on average less than ten, and ten
    ends = CORRELATIONS[..., None] + HALF_BOOTSTRAP * np.array([0, -1, 1])
    whole = rng.uniform(-0.5, 0.5, (2, 2, 2, 1)) + 0.1 * np.array([0, -1, 1])
    whole[:, 0, 0] = CORRELATIONS.mean(axis=1)[:, None] + HALF[:, None] * np.array([0, -1, 1])
    authors = count + rng.integers(0, 30, count.shape)
    return xr.Dataset(
        {
            "count": (("objective", "run", "bucket"), count),
            "right": (("objective", "run", "bucket"), rng.binomial(count, 0.8)),
            "spearman": (("objective", "run", "part"), ends),
            "authors_count": (("objective", "run", "bucket"), authors),
            "authors_right": (("objective", "run", "bucket"), rng.binomial(authors, 0.6)),
            "correlation": (("objective", "relation", "scope", "part"), whole),
            "accuracy": (("objective", "run", "classifier"), rng.uniform(size=(2, 3, 2))),
            "auroc": (("objective", "run", "stranger"), rng.uniform(size=(2, 3, 2))),
            "published": (("paper_data", "paper_objective", "end"), rng.uniform(size=(1, 2, 2))),
        },
        coords={
            "objective": ["SimCLR", "SimSiam"],
            "paper_objective": ["SimCLR", "SimSiam"],
            "run": range(3),
            "bucket": np.arange(0.1, 1, 0.2),
            "part": ["value", "low", "high"],
            "relation": list(RELATIONS),
            "scope": list(SCOPES),
            "classifier": ["trained", "untrained"],
            "stranger": ["noise", "inverted"],
            "paper_data": ["some"],
        },
    )


def legend(result: xr.Dataset) -> list[str]:
    """Of the panel of accuracies."""
    picture = figures.draw(confidence, result)
    found = picture.axes[0].get_legend()
    assert found is not None
    plt.close(picture)
    return [text.get_text() for text in found.get_texts()]


def test_a_correlation_has_the_interval_for_other_classes_and_networks(
    result: xr.Dataset,
) -> None:
    """Not that of Student over runs, which see the same images: faults found by attack, 10."""
    first, second = (
        r for r in confidence.rows(result) if r.quantity.startswith("ρ(norm, right), Sim")
    )
    assert first.quantity == (
        f"ρ(norm, right), SimCLR (± {HALF[0]:.2f}, over classes and 3 runs), above 0 in 3 of 3"
    )
    assert second.quantity.endswith("above 0 in 0 of 3")
    assert [first.simulated, second.simulated] == pytest.approx(CORRELATIONS.mean(axis=1))
    assert legend(result) == [
        f"{name}: ρ = {values.mean():.2f} ± {error:.2f}"
        for name, values, error in zip(("SimCLR", "SimSiam"), CORRELATIONS, HALF, strict=True)
    ]


def test_controls_have_rows_of_their_own(result: xr.Dataset) -> None:
    found = {row.quantity: row.simulated for row in confidence.rows(result)}
    for i, objective in enumerate(("SimCLR", "SimSiam")):
        for j, relation in enumerate(RELATIONS):
            for k, scope in enumerate(SCOPES):
                value, low, high = result.correlation.values[i, j, k]
                name = f"ρ({relation}), {scope}, {objective} [{low:+.2f}, {high:+.2f}]"
                assert found.get(name) == (None if (j, k) == (0, 0) else value)
        for k, name in enumerate(("trained", "untrained")):
            share = result.accuracy.values[i, :, k].mean()
            assert found[f"accuracy of neighbours, {name}, {objective}"] == pytest.approx(share)
        shares = (result.authors_right.sum("run") / result.authors_count.sum("run")).values
        rule = "bucket by the authors' rule"
        kept = [k for k in range(5) if result.authors_count.values[i, :, k].sum() >= 30]
        assert found[f"accuracy in the first {rule}, {objective}"] == shares[i, kept[0]]
        assert found[f"accuracy in the last {rule}, {objective}"] == shares[i, kept[-1]]


def test_dashed_lines_follow_the_authors_rule(result: xr.Dataset) -> None:
    picture = figures.draw(confidence, result)
    lines = [line for line in picture.axes[0].lines if line.get_linestyle() == "--"]
    assert len(lines) == 2
    for line, values in zip(lines, confidence.accuracy(result, "authors_").values, strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata(), float), values)
    plt.close(picture)


def test_runs_without_a_correlation_are_left_out(result: xr.Dataset) -> None:
    result.spearman[0, 1] = np.nan
    result.spearman[1] = np.nan
    value, error, runs = confidence.correlation(result, "SimCLR")
    kept = CORRELATIONS[0, [0, 2]]
    assert (value, error, runs) == (pytest.approx(kept.mean()), pytest.approx(HALF[0]), 2)
    assert np.isnan(confidence.correlation(result, "SimSiam")[0])
    row, *_ = confidence.rows(result)
    assert "over classes and 2 runs), above 0 in 2 of 3" in row.quantity


def test_a_single_run_has_no_interval(result: xr.Dataset) -> None:
    one = result.isel(run=[2])
    one.correlation[..., 1:] = np.nan
    row, *_ = confidence.rows(one)
    assert row.quantity == "ρ(norm, right), SimCLR, above 0 in 1 of 1"
    assert legend(one)[0] == "SimCLR: ρ = 0.25"


def test_end_buckets_hold_ten_images_a_run_on_average(result: xr.Dataset) -> None:
    shares = (result.right.sum("run") / result["count"].sum("run")).values
    assert confidence.ends(result, "SimCLR") == pytest.approx((shares[0, 1], shares[0, 4]))
    result["count"][0, 0, 4] = 4  # 29 images in 3 runs
    assert confidence.ends(result, "SimCLR") == pytest.approx((shares[0, 1], shares[0, 3]))


def test_rows_name_the_bucket_and_the_stranger_they_are_of(result: xr.Dataset) -> None:
    found = {row.quantity: row.simulated for row in confidence.rows(result)}
    for i, objective in enumerate(("SimCLR", "SimSiam")):
        first, last = confidence.ends(result, objective)
        assert first != last
        assert found[f"accuracy in the first bucket, {objective}"] == first
        assert found[f"accuracy in the last bucket, {objective}"] == last
        for j, stranger in enumerate(("noise", "inverted")):
            area = result.auroc.values[i, :, j].mean()
            assert found[f"AUROC against {stranger}, {objective}"] == pytest.approx(area)


def test_the_panels_show_the_runs_and_the_papers_ends(result: xr.Dataset) -> None:
    picture = figures.draw(confidence, result)
    buckets, paper, strangers = picture.axes
    thin = [line for line in buckets.lines if line.get_alpha() == 0.4]
    assert len(thin) == 6
    for k, line in enumerate(thin):
        right, count = (result[name].values[k // 3, k % 3] for name in ("right", "count"))
        expected = np.where(count < 10, np.nan, right / count)
        np.testing.assert_allclose(np.asarray(line.get_ydata(), float), expected)
    # Two columns, the paper's data and here; of each a line, a hollow and a full circle.
    for i, objective in enumerate(("SimCLR", "SimSiam")):
        wanted = [tuple(result.published.values[0, i]), confidence.ends(result, objective)]
        for j, (first, last) in enumerate(wanted):
            line, hollow, full = paper.lines[3 * (2 * i + j) : 3 * (2 * i + j) + 3]
            assert hollow.get_markerfacecolor() == "white"
            assert np.asarray(hollow.get_ydata()).tolist() == [first]
            assert np.asarray(full.get_ydata()).tolist() == [last]
            assert np.asarray(line.get_ydata()).tolist() == [first, last]
    marks = [line for line in strangers.lines if line.get_marker() == "_"]
    shown = np.stack([np.asarray(line.get_ydata()) for line in marks])
    np.testing.assert_allclose(shown, result.auroc.values.mean(axis=1))
    plt.close(picture)
