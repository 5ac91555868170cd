"""Hypothesis strategies for vectors, norms and pairs."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

# Zero or well above the smallest normal, so that scaled vectors stay normal: the library's promise.
ENTRIES = st.floats(-1, 1).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
NORMS = st.floats(-2, 2).map(lambda decades: 10.0**decades)
ANGLES = st.one_of(
    st.floats(0, np.pi), st.sampled_from([0.0, np.pi / 2, np.pi, 1e-9, np.pi - 1e-9])
)
INNER_ANGLES = st.floats(1e-3, np.pi - 1e-3)
RATES = st.floats(-4, 2).map(lambda decades: 10.0**decades)
POWERS = st.sampled_from([0.0, 0.5, 1.0, 2.0])


@st.composite
def vector_pairs(draw: st.DrawFn, decades: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Two nonzero float64 vectors in 2..12 dimensions, norms over twice ``decades`` decades."""
    d = draw(st.integers(2, 12))
    entries = hnp.arrays(np.float64, d, elements=ENTRIES).filter(lambda x: bool(x.any()))
    scales = st.integers(-decades, decades)
    return draw(entries) * 10.0 ** draw(scales), draw(entries) * 10.0 ** draw(scales)


def rotation(seed: int, d: int) -> np.ndarray:
    """A random orthogonal matrix."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return q * np.sign(np.diag(r))
