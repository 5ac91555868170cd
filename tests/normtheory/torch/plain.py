"""Plain definitions in PyTorch, to differentiate by autograd: of unit rows, without stability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Tensor = Any


def unit(z: Tensor) -> Tensor:
    """Rows divided by their norms."""
    return z / z.norm(dim=-1, keepdim=True)


def views(first: Tensor, second: Tensor, temperature: Tensor, decoupled: bool = False) -> Tensor:
    """Chen et al. 2020, algorithm 1, view by view; decoupled: Yeh et al. 2022, equation 6."""
    n = len(first)
    z = unit(torch.cat([first, second]))
    total = torch.zeros((), dtype=z.dtype)
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        left_out = {i, partner} if decoupled else {i}
        powers = sum(torch.exp(z[i] @ z[k] / temperature) for k in {*range(2 * n)} - left_out)
        total = total + torch.log(powers) - z[i] @ z[partner] / temperature
    return total / (2 * n)


def clip(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Radford et al. 2021, figure 3."""
    logits = scale * unit(image) @ unit(text).T
    right = torch.arange(len(image))
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


def siglip(image: Tensor, text: Tensor, scale: Tensor, bias: Tensor | float) -> Tensor:
    """Zhai et al. 2023, algorithm 1."""
    logits = scale * unit(image) @ unit(text).T + bias
    sign = 2 * torch.eye(len(image), dtype=logits.dtype) - 1
    return -torch.sum(torch.nn.functional.logsigmoid(sign * logits)) / len(image)


def supcon(z: Tensor, labels: Tensor, temperature: Tensor | float) -> Tensor:
    """Khosla et al. 2020, equation 2, anchor by anchor."""
    z, anchors = unit(z), []
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        positives = [k for k in others if labels[k] == labels[i]]
        if positives:
            below = torch.log(sum(torch.exp(z[i] @ z[k] / temperature) for k in others))
            mean = sum(z[i] @ z[k] for k in positives) / (len(positives) * temperature)
            anchors.append(below - mean)
    return sum(anchors) / len(anchors)


def swapped(crops: list[Tensor], large: int, prototypes: Tensor, temperature: float) -> Tensor:
    """Caron et al. 2020, algorithm 1, with the iteration on probabilities."""
    products = [unit(z) @ unit(prototypes).T for z in crops]
    terms = []
    for i in range(large):
        q = torch.exp(products[i].detach() / 0.05)
        for _ in range(3):
            q = q / q.sum(0, keepdim=True)
            q = q / q.sum(1, keepdim=True)
        for j, product in enumerate(products):
            if j != i:
                log_p = torch.log_softmax(product / temperature, dim=1)
                terms.append(-(q * log_p).sum(1).mean())
    return sum(terms) / len(terms)


def derivatives(function: Callable[..., Tensor], *leaves: Tensor) -> list[Tensor]:
    """Value and gradients by autograd, float64; 0 for what does not matter."""
    fresh = [x.detach().clone().requires_grad_() for x in leaves]
    value = function(*fresh)
    found = torch.autograd.grad(value, fresh, allow_unused=True)
    zeros = (torch.zeros_like(x) for x in fresh)
    return [value.detach(), *(z if g is None else g for g, z in zip(found, zeros, strict=True))]


def assert_same(one: Callable[..., Tensor], other: Callable[..., Tensor], *leaves: Tensor) -> None:
    """Values and all derivatives of numbers near 1 agree to 64 eps of float64.

    Both are sums of a few dozen terms of size 1/τ <= 5, and what cancels is no smaller than that.
    """
    found, wanted = derivatives(one, *leaves), derivatives(other, *leaves)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert (a - b).abs().max() <= 64 * 5 * torch.finfo(torch.float64).eps
    assert any(b.abs().max() > 1e-3 for b in wanted[1:])
