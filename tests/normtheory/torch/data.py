"""Embeddings of norms other than 1, in float64."""

from __future__ import annotations

from typing import Any

import torch


def cloud(n: int, d: int = 4, seed: int = 0) -> Any:
    """A Gaussian cloud, rows 1 to 2 times as long."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn((n, d), generator=generator, dtype=torch.float64)
    return z * (1 + torch.rand((n, 1), generator=generator, dtype=torch.float64))


def number(x: float, *shape: int) -> Any:
    """A number as a tensor of that shape."""
    return torch.full(shape, x, dtype=torch.float64)
