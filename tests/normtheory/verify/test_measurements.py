"""Rows of the measurements carry what they say."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from normtheory.verify import MEASUREMENTS, Sample, _torque


def _sample(name: str, points: int = 4, d: int = 3, seed: int = 0, **options: Any) -> Sample:
    with jax.enable_x64(True):
        return MEASUREMENTS[name].function(d, points, np.random.default_rng(seed), **options)


def test_rows_of_a_contrastive_batch_carry_its_label() -> None:
    sample = _sample("contrastive", points=8, kind="info_nce", role="anchors")
    z = sample.inputs["z"] / sample.inputs["norm"]
    cosine = (z * sample.inputs["own"]).sum(axis=1)
    labels = np.array([label.split(",")[0] for label in sample.labels])
    assert (cosine[labels == "solved"] > 0.99).all()
    assert (cosine[labels == "antipodal"] < -0.99).all()
    assert (abs(cosine[labels == "uniform"]) < 0.99).all()
    assert (labels == "solved").sum() == 2 * 5


def test_opposed_batches_are_looked_at_from_their_first_anchor() -> None:
    sample = _sample("contrastive", kind="info_nce", role="anchors", opposed=True)
    assert len(sample.labels) == 4
    z = sample.inputs["z"] / sample.inputs["norm"]
    np.testing.assert_allclose((z * sample.inputs["own"]).sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(
        sample.inputs["wrong"], -sample.inputs["own"][:, None] + 0 * sample.inputs["wrong"]
    )


@pytest.mark.parametrize("option", ["repel", "one_sided"])
def test_variants_draw_both_values_of_a_flag(option: str) -> None:
    assert set(_sample("pair_step", variants=True).inputs[option].ravel()) == {0.0, 1.0}
    assert set(_sample("flow_run", variants=True).inputs[option].ravel()) == {0.0, 1.0}
    assert not _sample("pair_step").inputs[option].any()


@pytest.mark.parametrize("variants", [False, True])
def test_equal_means_equal_norms(variants: bool) -> None:
    equal = _sample("pair_step", equal=True, variants=variants).inputs
    np.testing.assert_allclose(equal["norm_i"], equal["norm_j"], rtol=1e-12)
    any_norms = _sample("pair_step", variants=variants).inputs
    ratio = any_norms["norm_i"] / any_norms["norm_j"]
    assert ratio.max() > 2
    assert ratio.min() < 0.5


def test_a_norm_has_settled_if_it_has_in_the_end() -> None:
    sample = _sample("decay_of_a_fixed_pair")
    fixed = sample.inputs["fixed"] == 1
    # 300 steps of growth and decay from norm 1 would vary by more than a tenth.
    assert (sample.values["variation"][~fixed] < 1e-3).all()
    assert (sample.values["variation"][fixed] > 0.1).all()


def test_biases_are_there_if_asked_for() -> None:
    without, having = (_sample("cut_network", biases=b) for b in (False, True))
    # Only with biases does the output turn where all parameters are divided by c.
    assert without.values["change_of_direction"].max() < 1e-10
    assert having.values["change_of_direction"][::2].min() > 1e-3
    assert "with biases" in having.labels[0]
    assert "bias-free" in without.labels[0]


def test_the_mean_of_fourth_powers_is_above_the_fourth_power_of_the_mean() -> None:
    sample = _sample("fresh_directions", steps=30)
    power, mean = sample.values["mean_power"], sample.values["mean_norm"]
    # By Jensen, and by more than rounding where the norms of a class differ.
    assert (power > 1.001 * mean**4).all()
    ratio = sample.values["norm_ratio"]
    np.testing.assert_allclose(ratio, mean[0] / mean, rtol=1e-12)


@pytest.mark.parametrize("coupled", [False, True])
def test_decay_acts_in_torque_runs(coupled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # The torque with decay in the gradient is that without decay; the clouds are not.
    right, after = _torque._run, []
    for keep in (0.7, 0.99):

        def run(z: Any, v: Any, kind: Any, setting: Any, keep: float = keep) -> Any:
            return right(z, v, kind, setting | {"keep": 0 * setting["keep"] + keep})

        monkeypatch.setattr(_torque, "_run", run)
        after.append(_sample("torque_run", coupled=coupled).values["size"])
    assert (abs(after[0] / after[1] - 1) > 0.05).all()
