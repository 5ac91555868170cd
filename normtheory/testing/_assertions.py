"""The assertions: four laws of a loss of directions, for anyone's loss."""

from __future__ import annotations

from collections.abc import Callable

from normtheory.testing._evaluate import LossFunction
from normtheory.testing._run import LAWS, assert_laws

__tracebackhide__ = True  # pytest shows the line of the test, not ours

NORMS = (1e-3, 1e3)


# What it returns is inferred, so that the signature is written once.
def _asserting(*laws: str):
    """Make a function that has a name and a docstring assert these laws."""

    def make(named: Callable[[], None]):
        def assertion(
            loss: LossFunction,
            *,
            n: int = 6,
            dimension: int = 4,
            norms: tuple[float, float] = NORMS,
            backend: str | None = None,
            dtype: str = "float64",
            tolerance: float | None = None,
            max_examples: int = 40,
            seed: int = 0,
        ) -> None:
            assert_laws(
                laws, loss, n, dimension, norms, backend, dtype, tolerance, max_examples, seed
            )

        assertion.__name__, assertion.__qualname__ = named.__name__, named.__qualname__
        assertion.__doc__ = named.__doc__
        return assertion

    return make


@_asserting("inverse_norm")
def assert_inverse_norm_gradient() -> None:
    r"""Assert that the gradient of a loss is inversely proportional to the norm, row by row.

    ρ_i ∂L/∂z_i must not change when rows change their norms ρ and keep their directions.

    Args:
        loss: ``loss(z) -> scalar`` of one cloud of embeddings, shape (n, d), in numpy, JAX or
            PyTorch. Hold the other clouds of a loss of several fixed in a closure, and assert once
            for each cloud.
        n: number of points, which the loss must accept.
        dimension: d >= 2.
        norms: lowest and highest norm tried, each row having its own.
        backend: "numpy" (finite differences), "jax" or "torch" (automatic differentiation); None
            takes what the loss works with and returns. PyTorch is imported only if it is named, or
            if the loss works with neither numpy nor JAX.
        dtype: "float64", or "float32" for JAX and PyTorch.
        tolerance: allowed change, in units of the largest ρ‖∇L‖ of ordinary clouds. By default
            1e-6, 1e-5 for finite differences (plus their estimated error), 1e-3 in float32.
        max_examples: number of clouds tried; the ends of ``norms`` come first.
        seed: the same seed gives the same clouds.

    Raises:
        AssertionError: the law fails; with the smallest counterexample found, the measured exponent
            and the likely cause.
        TypeError: the loss is not callable, or returns no floating-point number.
        ValueError: an unusable option; a loss that fails on these shapes, returns NaN or a vector,
            has no gradient or a vanishing one, or is random.
        ModuleNotFoundError: ``backend="torch"`` without PyTorch.

    Example:
        >>> import numpy as np
        >>> y = np.random.default_rng(0).standard_normal((6, 4))
        >>> def attraction(z):
        ...     return -np.mean(np.sum(z * y, axis=1) / np.linalg.norm(z, axis=1))
        >>> assert_inverse_norm_gradient(attraction)
        >>> assert_inverse_norm_gradient(lambda z: attraction(z) + 1e-3 * np.linalg.norm(z))
        Traceback (most recent call last):
            ...
        AssertionError: the gradient is not inversely proportional to the norm...

    Reference:
        Draganov et al. 2025, Proposition 3.1, for the cosine; for any loss of directions,
        normtheory (derived here).
    """


@_asserting("orthogonal")
def assert_orthogonal_gradient() -> None:
    """Assert that the gradient of a loss is orthogonal to the embedding, row by row.

    z_i·∂L/∂z_i = 0: a step along it turns the embedding.

    Arguments and errors are those of :func:`assert_inverse_norm_gradient`; only one differs.

    Args:
        tolerance: allowed size of z·∇L, in units of the largest ρ‖∇L‖ of ordinary clouds.

    Example:
        >>> import numpy as np
        >>> assert_orthogonal_gradient(lambda z: np.max(z[:, 0] / np.linalg.norm(z, axis=1)))
    """


@_asserting("invariant")
def assert_scale_invariant() -> None:
    """Assert that a loss depends on directions alone: rows may change their norms, each its own.

    Arguments and errors are those of :func:`assert_inverse_norm_gradient`; only one differs.

    Args:
        tolerance: allowed change of the value, in units of its spread over ordinary clouds.

    Example:
        >>> import numpy as np
        >>> assert_scale_invariant(lambda z: np.max(z[:, 0] / np.linalg.norm(z, axis=1)))
    """


@_asserting("shrinks")
def assert_norm_never_shrinks() -> None:
    """Assert that a step of SGD on a loss never shrinks the norm of an embedding.

    Steps of learning rates that turn an embedding by about 1e-3, 0.1 and 1 radian are taken.

    Arguments and errors are those of :func:`assert_inverse_norm_gradient`; only one differs.

    Args:
        tolerance: allowed loss of squared norm a step, (ρ² - ρ'²)/2γ at learning rate γ, in units
            of the largest ρ‖∇L‖ of ordinary clouds.

    Example:
        >>> import numpy as np
        >>> assert_norm_never_shrinks(lambda z: np.max(z[:, 0] / np.linalg.norm(z, axis=1)))

    Reference:
        Draganov et al. 2025, Corollary 3.3.
    """


@_asserting(*LAWS)
def assert_loss_of_directions() -> None:
    """Assert all four laws at once, at the price of one compilation.

    Arguments and errors are those of :func:`assert_inverse_norm_gradient`; only one differs.

    Args:
        tolerance: as each of the four has it.

    Example:
        >>> import numpy as np
        >>> assert_loss_of_directions(lambda z: np.max(z[:, 0] / np.linalg.norm(z, axis=1)))
    """
