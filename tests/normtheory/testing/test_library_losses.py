"""The kit accepts every loss of the library, with all its trained clouds as one."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import normtheory as nt


def _closure(name: str, *positions: int) -> tuple[Any, int]:
    """The loss as a function of some of its clouds, one below the other, and their rows."""
    entry = nt.losses.LOSSES[name]
    clouds, options = entry.example(np.random.default_rng(1), 6, 4)
    ends = np.cumsum([len(clouds[i]) for i in positions])

    def loss(z: Any) -> Any:
        found = list(clouds)
        for i, end in zip(positions, ends, strict=True):
            found[i] = z[end - len(clouds[i]) : end]
        return entry.value(*found, **options)

    return jax.jit(loss), int(ends[-1])


@pytest.mark.parametrize("name", nt.losses.LOSSES)
def test_every_loss_of_the_library_is_accepted(name: str) -> None:
    loss, n = _closure(name, *nt.losses.LOSSES[name].trained)
    nt.testing.assert_loss_of_directions(loss, n=n, max_examples=16)


@pytest.mark.parametrize("name", ["simsiam", "dino"])
def test_a_cloud_behind_a_stopped_gradient_has_nothing_to_test(name: str) -> None:
    position = {"simsiam": 2, "dino": 1}[name]
    loss, n = _closure(name, position)
    with pytest.raises(ValueError, match=r"zero on every ordinary cloud; .* the gradient stopped"):
        nt.testing.assert_inverse_norm_gradient(loss, n=n)


@pytest.mark.parametrize("name", ["info_nce", "swav"])
def test_an_offset_on_a_library_loss_is_rejected(name: str) -> None:
    true, n = _closure(name, 0)

    def loss(z: Any) -> Any:
        return true(z) + 1e-3 * (z * z).sum() ** 0.5

    with pytest.raises(AssertionError, match="the loss depends on the norm"):
        nt.testing.assert_inverse_norm_gradient(loss, n=n)


@pytest.mark.parametrize("name", nt.losses.DISOBEDIENT)
def test_the_librarys_negative_controls_are_rejected(name: str) -> None:
    entry = nt.losses.DISOBEDIENT[name]
    first, *others = entry.example(np.random.default_rng(1), 6, 4)
    with pytest.raises(AssertionError, match=r"not inversely proportional[\s\S]*likely cause: "):
        nt.testing.assert_inverse_norm_gradient(
            jax.jit(lambda z: entry.value(z, *others)), n=len(first), norms=entry.norms
        )
