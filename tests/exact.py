"""Exact references for a pair of vectors of floats, by big integers and mpmath."""

from __future__ import annotations

from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

# Every sum and product below is exact in integers; this precision only enters in the last divisions
# and roots, and is far beyond a pair of doubles.
_BITS = 400


def integers(x: np.ndarray) -> tuple[list[int], int]:
    """Write a vector of floats as integers times one power of two: (integers, exponent)."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    whole = (mantissa * 2.0**53).astype(np.int64)
    low = int(exponent[whole != 0].min()) if whole.any() else 0
    return [int(m) << max(0, int(e) - low) for m, e in zip(whole, exponent, strict=True)], low - 53


class ExactPairs(NamedTuple):
    """References for n pairs of vectors in R^d.

    The gradient is stored as (high + low) / 2**exponent, in two doubles, so that comparing needs
    numpy only.

    Attributes:
        high: leading double of 2**exponent times the gradient, (n, d).
        low: the rest, (n, d).
        exponent: power of two near the norm of z, (n,).
        norm: ‖z‖ / 2**exponent, in [1, 2), (n,).
        size: ‖z‖ times the length of the gradient, which is sin φ, (n,).
        largest: the gradient's largest component, (n,); inf where float64 can't hold it.
        cosine: leading double of cos φ, (n,).
        angle: leading double of φ, (n,).
    """

    high: np.ndarray
    low: np.ndarray
    exponent: np.ndarray
    norm: np.ndarray
    size: np.ndarray
    largest: np.ndarray
    cosine: np.ndarray
    angle: np.ndarray


def _one(z: np.ndarray, y: np.ndarray) -> tuple:
    whole_z, unit_z = integers(z)
    whole_y, _ = integers(y)
    zz = sum(a * a for a in whole_z)
    yy = sum(b * b for b in whole_y)
    zy = sum(a * b for a, b in zip(whole_z, whole_y, strict=True))
    with mp.workprec(_BITS):
        root = mp.sqrt(mp.mpf(zz))
        exponent = int(mp.floor(mp.log(root, 2)))
        norm = mp.ldexp(root, -exponent)
        factor = 1 / (zz * mp.sqrt(mp.mpf(yy)) * norm)
        rest = [b * zz - zy * a for a, b in zip(whole_z, whole_y, strict=True)]
        parts = [mp.mpf(r) * factor for r in rest]
        high = np.array([float(p) for p in parts])
        low = np.array([float(p - h) for p, h in zip(parts, high.tolist(), strict=True)])
        sine = mp.sqrt(mp.mpf(zz * yy - zy * zy))
        length = mp.sqrt(mp.mpf(zz) * yy)
        largest = mp.ldexp(mp.mpf(max(abs(r) for r in rest)) * factor, -exponent - unit_z)
        return (
            high, low, exponent + unit_z, float(norm), float(sine / length), float(largest),
            float(zy / length), float(mp.atan2(sine, zy)),
        )  # fmt: skip


def exact_pairs(z: np.ndarray, y: np.ndarray) -> ExactPairs:
    """Cosine, angle and gradient with respect to ``z`` of the rows of two arrays (n, d)."""
    return ExactPairs(*(np.array(x) for x in zip(*map(_one, z, y), strict=True)))


def gradient_error(found: np.ndarray, exact: ExactPairs, slack: float = 0.0) -> np.ndarray:
    """Scale-free error ρ‖g - g_exact‖ of the gradients ``found`` (n, d), shape (n,).

    Args:
        found: gradients, float32 or float64.
        exact: the references.
        slack: how far a component may be off for nothing, in the gradient's own unit.
    """
    half = exact.exponent[:, None] // 2
    other = exact.exponent[:, None] - half

    def in_unit(x: np.ndarray) -> np.ndarray:  # in two halves: 2**exponent itself may overflow
        return np.ldexp(np.ldexp(x, half), other)

    # Where found and high are close their difference is exact (Sterbenz).
    off = np.abs((in_unit(found.astype(np.float64)) - exact.high) - exact.low)
    off = np.maximum(off - in_unit(np.full_like(off, slack)), 0.0)
    return np.sqrt((off**2).sum(axis=-1)) * exact.norm


def exact_projection(z: np.ndarray, v: np.ndarray) -> tuple[list[Any], Any]:
    """P_z v as mpmath numbers, and its length, for two vectors of floats."""
    whole_z, _ = integers(z)
    whole_v, unit = integers(v)
    zz = sum(a * a for a in whole_z)
    zv = sum(a * b for a, b in zip(whole_z, whole_v, strict=True))
    with mp.workprec(_BITS):
        parts = [
            mp.ldexp(mp.mpf(b * zz - zv * a) / zz, unit)
            for a, b in zip(whole_z, whole_v, strict=True)
        ]
        return parts, mp.sqrt(mp.fsum(p * p for p in parts))
