"""The answer of a diagnosis: what its first lines say and what they advise."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from tests.normtheory.diagnosis.data import clusters, embeddings

Z = embeddings(60)
SPHERE = Z / np.linalg.norm(Z, axis=1)[:, None]
SPREAD = SPHERE * np.linspace(1, 4, 60)[:, None]
RATE = {"batch_size": 1, "reduction": "sum"}


@pytest.mark.parametrize(
    ("z", "options", "expected"),
    [
        (SPHERE, {}, "save the embeddings before they are normalised, and ask again"),
        (SPREAD + 50, {}, "mend the collapse first: it is not the norms that are wrong"),
        (SPREAD, {"learning_rate": 5.0, **RATE}, "try smaller learning rates; GradScale with p ="),
        (SPREAD, {"learning_rate": 1e-3, **RATE}, "try larger learning rates; GradScale with p ="),
        (SPREAD, {"learning_rate": 1.0, **RATE}, "GradScale with p ="),
        (
            SPREAD,
            {"learning_rate": 0.1, "gradscale": 2.0, **RATE},
            "a GradScale of p = 1.4",
        ),
        (
            SPHERE * np.linspace(1, 1.2, 60)[:, None],
            {"learning_rate": 0.1, **RATE},
            "nothing about the norms",
        ),
        (
            SPHERE * np.linspace(1, 1.2, 60)[:, None],
            {},
            "nothing about the norms; give learning_rate, batch_size and reduction to judge their",
        ),
        (
            SPREAD,
            {"learning_rate": 1e-3, "optimizer": "adamw"},
            "nothing is known to even out speeds under adamw",
        ),
    ],
)
def test_what_to_do(z, options, expected):
    assert nt.diagnose(z, **options).summary[-1].startswith(f"To do: {expected}")


def test_what_a_warning_says_is_not_said_twice():
    names = [line.split(":")[0] for line in nt.diagnose(SPHERE).summary]
    assert names == ["Meaning", "Directions", "To do"]
    names = [line.split(":")[0] for line in nt.diagnose(SPREAD + 50).summary]
    assert names == ["Norms", "Meaning", "To do"]


def test_what_norms_mean_is_what_their_interval_says():
    z, labels = clusters()
    meaning = nt.diagnose(z, labels).summary[1]
    assert meaning == (
        "Meaning: can't tell whether norms go with right neighbours: 7 samples of the rarer answer "
        "are too few for an interval"
    )
    right = np.linalg.norm(z, axis=1) + np.arange(len(z)) % 7
    found = nt.diagnose(z, target=right)
    assert found.proxy is not None
    assert found.proxy.verdict is not None
    assert found.summary[1] == f"Meaning: {found.proxy.verdict.sentence}"
    assert "labels, or a target, would tell" in nt.diagnose(z).summary[1]
