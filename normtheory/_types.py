"""The kinds of arrays that annotations speak of, by shape; numpy, JAX or PyTorch.

For annotations: nothing is checked at run time, so that our own messages about wrong input stay
the ones that are seen.

Examples:
    >>> from normtheory._types import Embeddings
    >>> Embeddings.dim_str
    'n d'
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float, Int

Embeddings = Float[Any, "n d"]
"""Embeddings, one a row."""

PerRow = Float[Any, " n"]
"""A number for every row, such as its norm."""

Scalar = Float[Any, ""]
"""One number, such as a loss."""

Labels = Int[Any, " n"]
"""The class of every row."""

__all__ = ["Embeddings", "Labels", "PerRow", "Scalar"]
