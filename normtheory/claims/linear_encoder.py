"""A linear layer with white inputs: its outputs' mean square grows as an embedding's does."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import ArbitraryLoss, gradient, reduce, square, vector


def next_mean_square(
    mean_square: Any, gradient_norm: Any, learning_rate: Any, weight_decay: Any
) -> Any:
    """E‖q'‖² = (1−γλ)²E‖q‖² + γ²‖∇_W L‖²."""
    keep = 1 - learning_rate * weight_decay
    return keep**2 * mean_square + learning_rate**2 * gradient_norm**2


def next_mean_square_planted(
    mean_square: Any, gradient_norm: Any, learning_rate: Any, weight_decay: Any
) -> Any:
    """Planted: decay not squared."""
    keep = 1 - learning_rate * weight_decay
    return keep * mean_square + learning_rate**2 * gradient_norm**2


def of_correlated(of_correlated: Any) -> Any:
    """Planted: inputs that are correlated."""
    return of_correlated


def slope_of_square(norm: Any, push: Any) -> Any:
    """dρ'²/dρ = 2(ρ² − γs)(ρ² + γs)/ρ³, with ``push`` = γs: not negative iff γs ≤ ρ²."""
    return 2 * (norm**2 - push) * (norm**2 + push) / norm**3


def slope_of_square_planted(norm: Any, push: Any) -> Any:
    """Planted: 2ρ, as if the growth were the same at every norm."""
    return 2 * norm + 0 * push


def squared_row_step(gradient: Any, inverse_gram: Any) -> Any:
    """‖row of polar G‖² = g·(GᵀG)⁻¹g, the leverage score of the row."""
    return ((gradient[..., None, :] @ inverse_gram)[..., 0, :] * gradient).sum(-1, keepdims=True)


def squared_row_step_planted(gradient: Any, inverse_gram: Any) -> Any:
    """Planted: every row moves as far as every other, n/d of them in all."""
    return (squared_row_step(gradient, inverse_gram) * 0 + 1) / 2


def _moments(width: int, white: bool) -> np.ndarray:
    """E xxᵀ of the population, whatever the inputs of the batch are."""
    moments = sp.eye(width)
    if not white:
        moments[0, 1] = moments[1, 0] = sp.Symbol("m", real=True)
    return np.array(moments, dtype=object)


def _layer(step: Any, white: bool) -> dict[str, Any]:
    """The first order, ⟨W E xxᵀ, ∇W⟩ = 0 for any loss of directions, and then the whole step."""
    gamma, decay, size = sp.symbols("gamma lambda g", positive=True)
    found: dict[str, Any] = {}
    for d, width, many in ((2, 2, 1), (2, 2, 2), (3, 2, 1)):
        loss = ArbitraryLoss.create(d, many)
        weights = np.stack([vector(f"w{k}_", width) for k in range(d)])
        outputs = [weights @ vector(f"x{a}_", width) for a in range(many)]
        roots = {norm: square(q) for norm, q in zip(loss.norms, outputs, strict=True)}
        meaning = {
            u: part / norm
            for direction, q, norm in zip(loss.directions, outputs, loss.norms, strict=True)
            for u, part in zip(direction, q, strict=True)
        }
        slope = np.stack([gradient(loss.value, row, roots, meaning) for row in weights])
        moments = _moments(width, white)
        key = f"{many} inputs, width {width}, d={d}"
        found[f"first order, {key}"] = reduce(
            sp.sympify(((weights @ moments) * slope).sum()), roots, meaning
        )
    for d, width in ((2, 2), (2, 3), (3, 2)):
        moments = _moments(width, white)
        weights, slope = (np.stack([vector(f"{a}{k}_", width) for k in range(d)]) for a in "wg")

        def mean_square(w: np.ndarray, moments: np.ndarray = moments) -> Any:
            return ((w @ moments) * w).sum()

        moved = mean_square((1 - gamma * decay) * weights - gamma * slope)
        first = -2 * gamma * (1 - gamma * decay) * ((weights @ moments) * slope).sum()
        claimed = sp.sympify(step(mean_square(weights), size, gamma, decay))
        claimed = claimed.subs(size**2, (slope**2).sum())
        found[f"mean square, width {width}, d={d}"] = sp.expand(moved - first - claimed)
    return found


def _residuals(step: Any, slope: Any, row: Any, white: bool) -> dict[str, Any]:
    found = _layer(step, white)
    rho, push = sp.symbols("rho c", positive=True)
    found["monotone map"] = reduce(sp.diff(rho**2 + push**2 / rho**2, rho) - slope(rho, push), {})
    # polar G = G(GᵀG)^(−1/2) of three rows in the plane; S^(1/2) = (S + δ)/τ.
    rows = np.stack([vector(f"g{k}_", 2) for k in range(3)])
    gram = rows.T @ rows
    (a, b), (_, c) = gram
    delta, tau = sp.symbols("delta tau", positive=True)
    roots = {tau: a + c + 2 * delta, delta: a * c - b**2}
    unit = np.array([[1, 0], [0, 1]], dtype=object)
    root = (gram + delta * unit) / tau
    inverse_root = (tau * unit - root) / delta
    found["square root"] = reduce(inverse_root @ gram @ inverse_root - unit, roots)
    inverse = np.array([[c, -b], [-b, a]], dtype=object) / (a * c - b**2)
    steps = ((rows @ inverse_root) ** 2).sum(axis=1)
    claimed = [row(g, inverse)[0] for g in rows]
    found["rows of Muon's step"] = reduce(steps - np.array(claimed, dtype=object), roots)
    return found


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(
        next_mean_square_planted, slope_of_square_planted, squared_row_step_planted, white=True
    )
    # The same in both.
    wrong = {k: v for k, v in wrong.items() if not k.startswith(("square root", "first order"))}
    correlated = _layer(next_mean_square, white=False)
    return wrong | {f"{key}, correlated": value for key, value in correlated.items()}


CLAIM = Claim(
    name="linear_encoder",
    title="A linear encoder with white inputs",
    meaning="For one linear layer with white inputs the mean squared norm of the outputs grows "
    "under SGD as that of a free embedding, whatever the batch. Free embeddings that are updated "
    "more often do not end shorter on average if steps are not too large.",
    reason=r"White inputs make the mean square of the outputs $\lVert W\rVert^2$, and $W$ is "
    r"orthogonal to its gradient. While $\gamma s\le\rho^2$ the new norm rises with the old one, "
    r"so one update more leaves no embedding shorter.",
    consequence="Read the norms of a linear encoder by these laws only if its inputs are white: "
    "with correlated ones the mean square may even fall. Muon's steps are not orthogonal to the "
    "weights and are outside.",
    statement=r"q=Wx,\ \mathbb E\,xx^\top=I:\quad \mathbb E\lVert q\rVert^2=\lVert W\rVert^2,\quad "
    r"\mathbb E\lVert q'\rVert^2=(1-\gamma\lambda)^2\,\mathbb E\lVert q\rVert^2"
    r"+\gamma^2\lVert\nabla_WL\rVert^2\ \text{for any batch};\qquad"
    r"\gamma_ts_t\le\rho_0^2\ \text{for all}\ t\ \Rightarrow\ "
    r"\mathbb E\rho_t\ \text{does not fall with}\ p;\qquad"
    r"\text{Muon: }\lVert\Delta z_k\rVert^2=\gamma^2\,g_k^\top(G^\top G)^{-1}g_k",
    assumptions=(
        "SGD on a loss of the directions of the outputs; the mean is over the population, the batch"
        " may be any",
        "with correlated inputs nothing of the kind holds: the mean square may fall at first order",
        "p: the probability that a free embedding is updated in a step, λ = 0, ‖∇L‖ = s_t/ρ with"
        " s_t that doesn't depend on the embedding. Norms never shrink, and from ρ₀ on ρ' grows"
        " with ρ; so of two embeddings the one that is updated in more of the same steps is longer",
        "Muon on a table of embeddings of full rank: row k turns and grows by its leverage score,"
        " and the step isn't orthogonal to the table",
    ),
    source="normtheory (derived here); for the frequency Atamanyuk argues slow change instead",
    item="28",
    proof=lambda: _residuals(next_mean_square, slope_of_square, squared_row_step, white=True),
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="mean square of the outputs after a step",
            measurement="linear_layer",
            quantity="next_mean_square",
            formula=next_mean_square,
            planted=of_correlated,
            mistake="correlated inputs",
            scale=lambda size: 1 / size,
            reason="rounding, in units of the squared length of weights and step",
        ),
        Check(
            name="mean square with weight decay",
            measurement="linear_layer",
            options={"decayed": True},
            quantity="next_mean_square",
            formula=next_mean_square,
            planted=next_mean_square_planted,
            mistake="decay not squared",
            scale=lambda size: 1 / size,
            reason="rounding, in units of the squared length of weights and step",
        ),
        Check(
            name="norm after a step against the norm before",
            measurement="norm_map",
            quantity="slope_of_square",
            formula=slope_of_square,
            planted=slope_of_square_planted,
            mistake="the same growth at every norm",
            scale=lambda norm, push: norm**3 / (norm**2 + push) ** 2,
            reason="rounding of the two parts of the derivative",
        ),
        Check(
            name="rows of a step of Muon",
            measurement="polar_step",
            quantity="squared_row_step",
            formula=squared_row_step,
            planted=squared_row_step_planted,
            mistake="the same for all rows",
            scale=lambda condition: 1 / condition,
            tolerance=1024.0,
            reason="rounding of an inverse, which the spread of singular values magnifies, and of"
            " 40 Newton-Schulz steps",
        ),
    ),
    conditions=(
        Condition(
            name="the mean square obeys the law",
            region=r"\mathbb E\,xx^\top=I",
            measurement="linear_layer",
            options={"alternate": True},
            margin=lambda correlated: 1 - 2 * correlated,
            slack=lambda next_mean_square, law, size: 1e-6 - abs(next_mean_square - law) / size,
            counterexample="inputs that are correlated, with the same mean square before the step",
        ),
        Condition(
            name="the mean norm does not fall with the frequency",
            region=r"\gamma_ts_t\le\rho_0^2",
            measurement="frequency_growth",
            margin=lambda largest_push: 1 - largest_push,
            slack=lambda least_rise: 1e-7 + least_rise,
            counterexample="pushes γs/ρ₀² of 4, then of 100: an embedding updated in both is short"
            " of one updated in the second alone",
            exact=False,
        ),
        Condition(
            name="the step is orthogonal to the weights",
            region=r"\text{SGD rather than Muon}",
            measurement="polar_step",
            margin=lambda muon: 1 - 2 * muon,
            slack=lambda along: 1e-6 - along,
            counterexample="polar G in place of G",
        ),
    ),
    implemented_by=("normtheory.drift.linear_encoder_step",),
)
