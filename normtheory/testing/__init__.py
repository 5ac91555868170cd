"""A testing kit for anyone's loss: does it obey gradient ∝ 1/‖z‖?

A loss is any callable of one cloud of embeddings, shape (n, d), that returns a scalar; it may be
written in numpy, JAX or PyTorch. Of a loss with several clouds, hold all but one fixed:

    >>> import numpy as np
    >>> import normtheory as nt
    >>> keys = np.random.default_rng(0).standard_normal((6, 4))
    >>> def loss(z):
    ...     return nt.losses.info_nce(z, keys, temperature=0.1)
    >>> nt.testing.assert_inverse_norm_gradient(loss, n=6, dimension=4, backend="jax")

and once more with the keys free and the queries fixed. (Without ``backend`` this loss, which takes
arrays of any library, would be differentiated in numpy, by finite differences.) The assertions
raise AssertionError with the smallest counterexample found, the measured exponent of gradient norm
against embedding norm, and the likely cause, which is measured, too. They need no test runner. A
fault of the call (a loss that isn't callable, returns NaN or a vector, ...) is a TypeError or
ValueError instead.

The strategies :func:`norms`, :func:`pairs` and :func:`point_clouds` are for hypothesis tests of
one's own. Give those ``@settings(deadline=None)``: a loss is compiled for every new shape, and the
first example of a shape takes longer than hypothesis' deadline of 200 ms.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "normtheory.testing needs hypothesis: pip install normtheory[testing]"
    ) from error

from normtheory.testing._assertions import (
    assert_inverse_norm_gradient,
    assert_loss_of_directions,
    assert_norm_never_shrinks,
    assert_orthogonal_gradient,
    assert_scale_invariant,
)
from normtheory.testing._norm_range import valid_norm_range
from normtheory.testing._strategies import PointCloud, norms, pairs, point_clouds

__all__ = [
    "PointCloud",
    "assert_inverse_norm_gradient",
    "assert_loss_of_directions",
    "assert_norm_never_shrinks",
    "assert_orthogonal_gradient",
    "assert_scale_invariant",
    "norms",
    "pairs",
    "point_clouds",
    "valid_norm_range",
]
