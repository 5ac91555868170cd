"""Cut-initialisation is a larger learning rate and a smaller decay, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._claim import Check, Claim, Condition
from normtheory.claims._symbolic import Roots, derivative, reduce, square, vector

_REASON = "rounding of a network of 4 layers, in units of the whole array's length"
_TRAINED = (
    "rounding of 6 steps of a network of 4 layers; gradients are 81 times as large where c = 9"
)


def _length(a: Any, xp: Any) -> Any:
    return xp.sqrt((a * a).sum(-1, keepdims=True))


def cut_output(output: Any, c: Any, layers: Any) -> Any:
    """The output shrinks by c^L."""
    return output / c**layers


def cut_output_planted(output: Any, c: Any, layers: Any) -> Any:
    """Planted: by c, as if there were one layer."""
    return output / c + 0 * layers


def cut_gradient(gradient: Any, c: Any) -> Any:
    """Every weight gradient grows by c."""
    return c * gradient


def cut_gradient_planted(gradient: Any, c: Any) -> Any:
    """Planted: gradients don't change."""
    return gradient + 0 * c


def trained_cut(whole: Any, c: Any) -> Any:
    """After training: 1/c of the weights trained uncut at rate c²γ with decay λ/c²."""
    return whole / c


def trained_cut_planted(same_decay: Any, c: Any) -> Any:
    """Planted: decay kept."""
    return same_decay / c


def alignment(layers: Any) -> Any:
    """⟨W_l, ∇W_l⟩ = 0 in every layer."""
    return 0 * layers


def alignment_planted(layers: Any) -> Any:
    """Planted: a thousandth of the product of their lengths."""
    return 1e-3 + 0 * layers


class _Network:
    """A ReLU network of two or three layers of width 2, on one fixed pattern of active units.

    Dividing weights by a positive number keeps the sign of every pre-activation, so the pattern is
    kept, and on a pattern the network is a product of matrices. Three layers take one input.
    """

    def __init__(self, pattern: tuple[tuple[int, ...], ...], *, biases: bool = False) -> None:
        self.layers = len(pattern) + 1
        self.pattern = pattern
        inputs = 2 if self.layers == 2 else 1
        sizes = [2 * inputs, *[4] * (self.layers - 1)]
        self.weights = [vector(f"w{k}_", size) for k, size in enumerate(sizes, start=1)]
        self.biases = [vector(f"b{k}_", 2) if biases else None for k in range(1, self.layers + 1)]
        self.x = vector("x", inputs)
        self.norm = sp.Symbol("rho", positive=True)
        self.directions = vector("u", 2)

    @property
    def output(self) -> np.ndarray:
        """The embedding, shape (2,)."""
        active = [np.array(a, dtype=object) for a in self.pattern]
        value = self.x
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = weight.reshape(2, -1) @ value + (0 if bias is None else bias)
            value = value * active[k] if k < len(active) else value
        return value

    @property
    def roots(self) -> Roots:
        """The norm of the output."""
        return {self.norm: square(self.output)}

    def gradient(self, layer: int) -> np.ndarray:
        """∇ of an arbitrary loss of the output's direction with respect to one layer."""
        ell = sp.Function("ell")(*self.directions)
        meaning = dict(zip(self.directions, self.output / self.norm, strict=True))
        return np.array(
            [derivative(ell, w, self.roots, meaning) for w in self.weights[layer]], dtype=object
        )

    def cut(self, expression: Any, c: Any, *, by_layer: bool = True) -> Any:
        """The expression for weights over c and the biases of layer l over c^l (or over c)."""
        change: dict[Any, Any] = {w: w / c for weight in self.weights for w in weight}
        for k, bias in enumerate(self.biases, start=1):
            if bias is not None:
                change |= {b: b / (c**k if by_layer else c) for b in bias}
        change[self.norm] = self.norm / c**self.layers
        return np.array([sp.sympify(e).xreplace(change) for e in expression], dtype=object)


def _patterns() -> list[tuple[tuple[int, ...], ...]]:
    # The other patterns of two units are these with the units renamed, or a zero output.
    return [((1, 1),), ((1, 0),), ((1, 0), (1, 1))]


def _residuals(
    output: Any, gradient: Any, rate_factor: Any, decay_factor: Any, by_layer: bool
) -> dict[str, Any]:
    c, gamma, decay, momentum = sp.symbols("c gamma lambda beta", positive=True)
    found: dict[str, Any] = {}
    for pattern in _patterns():
        net = _Network(pattern)
        key = f"{net.layers} layers, active {pattern}"
        claimed = output(net.output, c, net.layers)
        found[f"output, {key}"] = reduce(net.cut(net.output, c) - claimed, {})
        for layer in range(net.layers):
            slope, weight = net.gradient(layer), net.weights[layer]
            at_cut = net.cut(slope, c)
            found[f"gradient {layer + 1}, {key}"] = reduce(at_cut - gradient(slope, c), {})
            found[f"⟨W, ∇W⟩ {layer + 1}, {key}"] = reduce((weight * slope).sum(), net.roots)
            # One step of heavy ball with decay, from cut weights W/c and speed V/c.
            speed = vector("v", len(weight))
            cut_step = weight / c + momentum * speed / c - gamma * (at_cut + decay * weight / c)
            rate, lam = rate_factor(c) * gamma, decay_factor(c) * decay
            whole_step = weight + momentum * speed - rate * (slope + lam * weight)
            found[f"step {layer + 1}, {key}"] = reduce(cut_step - whole_step / c, {})
    for pattern in (((1, 1),), ((1, 0), (1, 1))):
        net = _Network(pattern, biases=True)
        claimed = net.output / c**net.layers
        cut = net.cut(net.output, c, by_layer=by_layer)
        found[f"biases by layer, active {pattern}"] = reduce(cut - claimed, {})
    return found


RATE_POWER, DECAY_POWER = 2, -2
"""Of c, by which rate and decay of the uncut network differ from those of the cut one."""


def _proof() -> dict[str, Any]:
    return _residuals(
        cut_output, cut_gradient, lambda c: c**RATE_POWER, lambda c: c**DECAY_POWER, True
    )


def _planted_proof() -> dict[str, Any]:
    wrong = _residuals(cut_output_planted, cut_gradient_planted, lambda c: c**2, lambda c: 1, False)
    # The identity ⟨W, ∇W⟩ = 0 has no planted formula that is symbolic.
    return {key: value for key, value in wrong.items() if not key.startswith("⟨")}


CLAIM = Claim(
    name="cut_init",
    title="Cut-initialisation",
    meaning="Dividing all weights of a bias-free ReLU network by $c$ at the start is, under SGD "
    "with or without momentum, exactly a rate $c^2$ times larger with a weight decay $c^2$ times "
    "smaller.",
    reason=r"The output scales with each layer's weights, so it shrinks by $c^L$ and keeps its "
    r"direction, while every weight gradient grows by $c$. Steps relative to the weights grow by "
    r"$c^2$, and the share $\gamma\lambda$ that decay takes is the same.",
    consequence=r"Compare cut-initialisation with a run at the rate $c^2\gamma$ and the decay "
    r"$\lambda/c^2$ before crediting the cut. With biases divide that of layer $l$ by $c^l$; "
    r"dividing all by $c$ changes the directions of the outputs.",
    statement=r"W_l\to W_l/c:\quad f\to f/c^{L},\quad\nabla_{W_l}L\to c\,\nabla_{W_l}L,\qquad"
    r"\text{the same as}\ \gamma\to c^2\gamma,\ \lambda\to\lambda/c^2;\qquad"
    r"\langle W_l,\nabla_{W_l}L\rangle=0",
    assumptions=(
        "bias-free ReLU network of L layers, all weights divided by c > 0",
        "a loss of the directions of the outputs",
        "SGD or heavy ball, weight decay in the gradient",
        "with biases: exact if the bias of layer l is divided by c^l, not if all are divided by c",
    ),
    source="normtheory (derived here); cut-initialisation: Draganov et al. 2025",
    item="14",
    proof=_proof,
    planted_proof=_planted_proof,
    checks=(
        Check(
            name="output",
            measurement="cut_network",
            quantity="cut_output",
            formula=cut_output,
            planted=cut_output_planted,
            mistake="one factor c for all layers",
            scale=lambda output, c, layers, xp: c**layers / _length(output, xp),
            reason=_REASON,
        ),
        Check(
            name="output with biases, layer l over c^l",
            measurement="cut_network",
            options={"biases": True},
            quantity="cut_output",
            formula=cut_output,
            planted=cut_output_planted,
            mistake="one factor c for all layers",
            scale=lambda output, c, layers, xp: c**layers / _length(output, xp),
            reason=_REASON,
        ),
        Check(
            name="weight gradients",
            measurement="cut_network",
            quantity="cut_gradient",
            formula=cut_gradient,
            planted=cut_gradient_planted,
            mistake="gradients unchanged",
            scale=lambda gradient, c, xp: 1 / (c * _length(gradient, xp)),
            tolerance=1024.0,
            reason=_REASON
            + "; an embedding k times smaller than the typical one magnifies it k times",
        ),
        Check(
            name="training at rate c²γ with decay λ/c²",
            measurement="cut_network",
            options={"rate_power": RATE_POWER, "decay_power": DECAY_POWER},
            quantity="trained_cut",
            formula=trained_cut,
            planted=trained_cut_planted,
            mistake="decay kept",
            scale=lambda whole, c, xp: c / _length(whole, xp),
            unit="relative",
            tolerance=1e-10,
            reason=_TRAINED,
        ),
        Check(
            name="weights orthogonal to their gradient",
            measurement="cut_network",
            quantity="alignment",
            formula=alignment,
            planted=alignment_planted,
            mistake="a thousandth of parallel",
            reason=_REASON,
        ),
    ),
    conditions=(
        Condition(
            name="the cut output points the same way",
            region=r"b_l=0,\ \text{or}\ b_l\to b_l/c^l\ \text{rather than}\ b_l/c",
            measurement="cut_network",
            options={"biases": True},
            margin=lambda all_by_c: 1 - 2 * all_by_c,
            slack=lambda change_of_direction: 1e-6 - change_of_direction,
            counterexample="biases divided by c like the weights: the output changes direction",
        ),
    ),
    implemented_by=("normtheory.cut_init",),
    shown_by=("cut_init", "encoder_drift"),
)
