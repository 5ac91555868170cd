"""Run an assertion: try the laws on examples, simplify the first failure, write the report."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from normtheory._arrays import check_count
from normtheory.testing._cause import exponents, likely_cause
from normtheory.testing._check import check_tolerance, prepare
from normtheory.testing._draw import Example, examples
from normtheory.testing._evaluate import LossFunction
from normtheory.testing._laws import Laws
from normtheory.testing._search import first_failure, simplest

__tracebackhide__ = True  # pytest shows the line of the test, not ours

TOLERANCES = {"numpy": 1e-5, "jax": 1e-6, "torch": 1e-6, "float32": 1e-3}
"""Default tolerances: finite differences lose a third of the digits, and so does float32 of 1/τ."""

LAWS: dict[str, tuple[Callable[[Laws, Example], float], str]] = {
    "inverse_norm": (
        Laws.inverse_norm,
        "the gradient is not inversely proportional to the norm: norm times gradient changes by",
    ),
    "orthogonal": (
        Laws.orthogonal,
        "the gradient is not orthogonal to the embedding: its radial part is",
    ),
    "invariant": (
        Laws.invariant,
        "the loss is not scale-invariant: relative to its spread over clouds it changes by",
    ),
    "shrinks": (
        Laws.shrinks,
        "a step of SGD shrinks a norm: (ρ² - ρ'²)/2γ, in units of the gradient, is",
    ),
}


def assert_laws(
    names: tuple[str, ...],
    loss: LossFunction,
    n: int,
    dimension: int,
    norms: tuple[float, float],
    backend: str | None,
    dtype: str,
    tolerance: float | None,
    max_examples: int,
    seed: int,
) -> None:
    """Assert some of LAWS; the arguments are those of ``assert_inverse_norm_gradient``."""
    check_count("max_examples", max_examples, 1)
    if tolerance is not None:
        check_tolerance(tolerance)
    # An overflow at an extreme norm is a finding, not a warning.
    with np.errstate(all="ignore"):
        laws, unit = prepare(loss, n, dimension, norms, backend, dtype, seed)
        kind = "float32" if dtype == "float32" else laws.evaluator.backend
        limit = TOLERANCES[kind] if tolerance is None else tolerance
        _check_noise(laws, unit.shape, limit)
        for name in names:
            law, broken = LAWS[name]
            judge = _judge(laws, law, unit.shape)
            failing = first_failure(judge, examples(n, dimension, norms, max_examples, seed), limit)
            if failing is not None:
                small = simplest(judge, failing, limit)
                raise AssertionError(_report(broken, laws, unit, small, judge(small), limit, norms))


def _judge(
    laws: Laws, law: Callable[[Laws, Example], float], shape: tuple[int, ...]
) -> Callable[[Example], float]:
    full, _ = laws.sizes(shape)

    def judge(example: Example) -> float:
        # With too few rows the gradient of some losses is rounding, and so is what breaks there.
        if laws.sizes(example.base.shape)[0] < 1e-3 * full:
            return 0.0
        found = law(laws, example)
        return found if np.isfinite(found) else np.inf

    return judge


def _check_noise(laws: Laws, shape: tuple[int, ...], limit: float) -> None:
    """Refuse a loss whose finite differences are too rough to say anything."""
    rough = laws.noise(shape)
    if rough > max(1e3 * limit, 0.03):
        raise ValueError(
            f"loss: its finite differences do not settle (error about {rough:.1g} of the "
            "gradient); is it differentiable, and computed in float64?"
        )


def _report(
    broken: str,
    laws: Laws,
    unit: np.ndarray,
    example: Example,
    found: float,
    limit: float,
    norms: tuple[float, float],
) -> str:
    measured = exponents(laws, unit, norms)
    cause = likely_cause(laws, unit, norms, limit)
    lines = [
        f"{broken} {found:.2g} (tolerance {limit:.0e})",
        f"  measured exponent of gradient norm against embedding norm, {norms[0]:g} to "
        f"{norms[1]:g}: {measured.whole:.3f} for the whole cloud, {measured.single:.3f} for one "
        "row alone (the law: -1)",
        f"  likely cause: {cause}",
        f"  smallest counterexample found ({laws.evaluator.backend}, {laws.evaluator.dtype}, seed "
        f"{laws.seed}):",
        f"    z = {_printed(example.cloud)}",
    ]
    if "changes" in broken:
        lines.append(f"    compared with {_printed(example.base)}")
    return "\n".join(lines)


def _printed(z: np.ndarray) -> str:
    rows = ", ".join("[" + ", ".join(f"{x + 0.0:.6g}" for x in row) + "]" for row in z)
    return f"[{rows}]"
