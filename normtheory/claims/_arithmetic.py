"""Arithmetic shared by the formulas, for numpy, JAX and symbol arrays alike."""

from __future__ import annotations

from typing import Any


def dot(a: Any, b: Any) -> Any:
    """Inner product along the last axis, which is kept with length 1."""
    return (a * b).sum(-1, keepdims=True)


def tangent(z: Any, norm: Any, v: Any) -> Any:
    """The part of ``v`` orthogonal to ``z``, whose norm is given: v − (z·v) z/‖z‖²."""
    return v - dot(z, v) / norm * (z / norm)
