"""Confidence: norms of real images, and how a claim about them fools."""

from __future__ import annotations

from typing import Any

import numpy as np

from normtheory.course._exercise import Exercise, Mistake

_COSINE, _SHORT, _LONG = 0.2, 5, 50
_CHECKS = {
    "held out": "seen",
    "length": "confounder",
    "density": "confounder",
    "untrained": "training",
    "more epochs": "",
    "a larger model": "",
    "another optimizer": "",
}
"""Checks that may be asked for, and what each is about; the last ones answer other questions."""

_SEEN = (
    "On samples that a model was trained on, its neighbours and norms are partly memory: ask for "
    "held-out ones first."
)
_CONFOUNDER = (
    "Something else may set both the norm and the agreement. Which column would you hold fixed, "
    "of texts pooled by a mean?"
)
_TRAINING = (
    "If the same network shows it before training, training did not make it: ask for that run."
)
_BESIDE = "“{}” may be worth knowing, but could not show that the claim is false."


def _relu_network(images: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    first, second, last = (rng.standard_normal((8, 8)) for _ in range(3))
    return np.maximum(np.maximum(images @ first, 0) @ second, 0) @ last


def _darker() -> float:
    image = np.random.default_rng(1).uniform(size=8)
    whole, half = (np.linalg.norm(_relu_network(x)) for x in (image, image / 2))
    return float(half / whole)


def _pooled(cosine: float) -> float:
    """Norm of the mean of few tokens over that of many, from their matrices of cosines."""
    few, many = (
        np.sqrt((cosine + (1 - cosine) * np.eye(count)).mean()) for count in (_SHORT, _LONG)
    )
    return float(few / many)


def _controls(answer: Any) -> str | None:
    if isinstance(answer, str) or not all(isinstance(word, str) for word in answer):
        return 'Hand in a list of words, such as ["density", "length"].'
    words = [word.strip().casefold() for word in answer]
    for word in words:
        if word not in _CHECKS:
            return f"“{word}” is not among those to choose from: {', '.join(_CHECKS)}."
        if not _CHECKS[word]:
            return _BESIDE.format(word)
    about = {_CHECKS[word] for word in words}
    for wanted, sentence in (
        ("seen", _SEEN),
        ("confounder", _CONFOUNDER),
        ("training", _TRAINING),
    ):
        if wanted not in about:
            return sentence
    return None


EXERCISES = (
    Exercise(
        name="darker",
        question="(By hand.) A ReLU network of three layers without biases is shown an image at "
        "half its brightness. By which factor is the norm of its embedding multiplied?",
        answer=_darker,
        right="relu(x/2) = relu(x)/2, so the factor goes through all layers once, and the "
        "direction stays.",
        mistakes=(
            Mistake(
                1 / 8,
                "That would be so if the *weights* of all three layers were halved (lesson 6). The "
                "image comes in once.",
            ),
            Mistake(1.0, "That holds for the direction. The norm is not normalised away yet."),
            Mistake(2.0, "Darker, so smaller."),
        ),
        hint="Take the factor through one layer: what is relu(x/2 · W)?",
    ),
    Exercise(
        name="pooled",
        question="(By machine or by hand.) Tokens are unit vectors, any two of them with the "
        f"cosine {_COSINE}. A text is the mean of its tokens. By which factor is the norm of "
        f"one of {_SHORT} tokens larger than that of one of {_LONG}?",
        answer=lambda: _pooled(_COSINE),
        right="‖mean‖² = (1 + (n−1)c)/n falls to c, not to 0; a third more for being short, and "
        "no confidence in it.",
        mistakes=(
            Mistake(
                lambda: _pooled(0.0), "That is for tokens at right angles: √10. These share a part."
            ),
            Mistake(lambda: 1 / _pooled(_COSINE), "The other way round: short texts are longer."),
            Mistake(lambda: _pooled(_COSINE) ** 2, "That is the ratio of the squared norms."),
            Mistake(1.0, "The mean over more tokens averages more of them away."),
        ),
        hint="The squared norm of a mean is the mean of all n² cosines, n of which are 1.",
    ),
    Exercise(
        name="controls",
        question="(Open.) A colleague finds that on her training texts, pooled by a mean, norms go "
        "with the agreement of annotators, ρ = 0.3: “norms are a confidence”. Which checks could "
        "show that this is *not* so? Hand in a list out of: " + ", ".join(_CHECKS) + ".",
        answer=["held out", "length", "untrained"],
        right="one check for memory, one for what else sets the norm, one for what training does; "
        "`nt.diagnose(z, covariates=..., target=...)` makes the second.",
        mistakes=(
            Mistake(["length", "untrained"], _SEEN),
            Mistake(["held out", "untrained"], _CONFOUNDER),
            Mistake(["held out", "density"], _TRAINING),
            Mistake(["a larger model"], _BESIDE.format("a larger model")),
        ),
        hint="Think of three ways to be fooled: memory, a common cause, and a network's birth.",
        judge=_controls,
    ),
)
"""Asked in lesson 7."""
