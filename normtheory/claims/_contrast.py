"""Contrastive losses in symbols, and the gradients that their claims share.

Every gradient here is minus the projected *pull* of the batch: the partner's direction, minus the
other directions weighted by the probability that the softmax gives them.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from normtheory.claims._arithmetic import dot, tangent
from normtheory.claims._claim import Check
from normtheory.claims._symbolic import gradient, reduce, square, vector

#: Anchors n and dimension d of the proofs.
SIZES = ((2, 2), (2, 3), (3, 2), (3, 3))
#: Why the checks have the scale that they have.
ROUNDING = "rounding of the pull, which is of order 1: the gradient is the pull over nτρ"


def one_role(
    z: Any, norm: Any, own: Any, others: Any, share: Any, temperature: Any, count: Any
) -> Any:
    """−P(own − Σ_b share_b others_b)/(nτρ): a point seen in one role, as anchor or as key.

    Args:
        z: the point, (..., d), and ``norm`` its norm.
        norm: ρ.
        own: direction of its partner, (..., d).
        others: directions of all that it is compared with, (..., n, d).
        share: their probabilities, (..., n, 1): for an anchor a row of the softmax, for a key a
            column, whose sum need not be 1.
        temperature: τ.
        count: how many terms the mean runs over.
    """
    pull = own - (share * others).sum(-2)
    return -tangent(z, norm, pull) / (count * temperature * norm)


def two_roles(
    z: Any,
    norm: Any,
    own: Any,
    others: Any,
    share: Any,
    share_back: Any,
    temperature: Any,
    count: Any,
) -> Any:
    """−P(2 own − Σ_b (share_b + share_back_b) others_b)/(2nτρ): anchor and key at once.

    The arguments are those of :func:`one_role`; ``share_back`` are the probabilities that the
    others give to this point.
    """
    pull = 2 * own - ((share + share_back) * others).sum(-2)
    return -tangent(z, norm, pull) / (2 * count * temperature * norm)


def equal_share(others: Any) -> Any:
    """1/n for each of n others (..., n, d), shape (..., n, 1)."""
    ones = 0 * others[..., :1] + 1
    return ones / ones.sum(-2, keepdims=True)


def as_anchor_only(
    z: Any, norm: Any, own: Any, others: Any, share: Any, temperature: Any, count: Any
) -> Any:
    """Planted for :func:`two_roles`: the point as an anchor, twice, and never as a key."""
    return one_role(z, norm, own, others, share, temperature, count)


def gradient_check(kind: str, role: str, formula: Any, planted: Any, mistake: str) -> Check:
    """The check of a contrastive gradient against autodiff, for points in one role."""
    return Check(
        name=f"gradient of {role}",
        measurement="contrastive",
        quantity="gradient",
        formula=formula,
        planted=planted,
        mistake=mistake,
        scale=lambda norm, count, temperature: count * temperature * norm,
        reason=ROUNDING,
        options={"kind": kind, "role": role},
    )


class Batch:
    """n anchors and n keys in d dimensions, as symbols.

    Attributes:
        points: the 2n embeddings: first the anchors, then the keys; the partner of k is k ± n.
        norms: their norms.
        temperature: τ.
    """

    def __init__(self, n: int, d: int) -> None:
        self.n = n
        names = [f"u_{a}_" for a in range(n)] + [f"v_{a}_" for a in range(n)]
        self.points = [vector(name, d) for name in names]
        self.norms = [sp.Symbol(f"rho_{name}", positive=True) for name in names]
        self.temperature = sp.Symbol("tau", positive=True)
        self._powers = {power: sp.Dummy(positive=True) for power in set(self.powers.ravel())}
        self._sums: dict[Any, sp.Symbol] = {}

    @cached_property
    def directions(self) -> list[np.ndarray]:
        """ẑ of every point."""
        return [z / rho for z, rho in zip(self.points, self.norms, strict=True)]

    @cached_property
    def similarity(self) -> np.ndarray:
        """Symbols that stand for the cosines of all pairs, shape (2n, 2n), symmetric."""
        size = 2 * self.n
        found = np.empty((size, size), dtype=object)
        for a in range(size):
            for b in range(a, size):
                found[a, b] = found[b, a] = sp.Symbol(f"s_{a}_{b}", real=True)
        return found

    @cached_property
    def powers(self) -> np.ndarray:
        """exp(s/τ) of all pairs, shape (2n, 2n)."""
        return np.vectorize(lambda s: sp.exp(s / self.temperature), otypes=[object])(
            self.similarity
        )

    def _sum(self, anchor: int, others: Sequence[int]) -> sp.Expr:
        total = self.powers[anchor, list(others)].sum()
        self._sums[total.xreplace(self._powers)] = sp.Dummy(positive=True)
        return total

    def partner(self, k: int) -> int:
        """The positive of point k."""
        return (k + self.n) % (2 * self.n)

    def share(self, anchor: int, others: Sequence[int]) -> np.ndarray:
        """Softmax of an anchor over the given others, shape (len(others), 1)."""
        return (self.powers[anchor, list(others)] / self._sum(anchor, others))[:, None]

    def loss(self, anchor: int, others: Sequence[int]) -> sp.Expr:
        """−s/τ of the anchor and its partner, plus log Σ exp(s/τ) over the others."""
        own = self.similarity[anchor, self.partner(anchor)]
        return sp.log(self._sum(anchor, others)) - own / self.temperature

    def residual(
        self, loss: sp.Expr, k: int, formula: Any, others: Sequence[int], **inputs: Any
    ) -> np.ndarray:
        """∇L with respect to point k, minus what a formula claims; 0 exactly if they agree."""
        inputs |= {
            "z": self.points[k],
            "norm": self.norms[k],
            "own": self.directions[self.partner(k)],
            "others": np.array([self.directions[m] for m in others], dtype=object),
            "temperature": self.temperature,
            "count": sp.Integer(self.n),
        }
        claimed = formula(**{name: inputs[name] for name in inspect.signature(formula).parameters})
        roots = {rho: square(z) for z, rho in zip(self.points, self.norms, strict=True)}
        # Only the cosines with point k change with it: the others stay symbols.
        meanings = {
            self.similarity[k, m]: dot(self.directions[k], self.directions[m])[0]
            for m in range(2 * self.n)
            if m != k
        }
        exact = gradient(loss, self.points[k], roots, meanings)
        difference = [sp.sympify(e).xreplace(self._powers) for e in exact - claimed]
        # With a symbol for every sum of powers the residual is small. What is zero for all values
        # of these symbols is zero; what is not may still be zero for the sums that they stand for.
        short = reduce([e.xreplace(self._sums) for e in difference], roots, meanings)
        return reduce(difference, roots, meanings) if short.any() else short
