"""The kit accepts every loss of the library, with all its trained clouds as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import normtheory as nt

IN_JAX = ("arcface", "dino", "nt_xent")
"""Losses that the default run compiles: of class weights, of a teacher, of two views."""


def _closure(name: str, *positions: int, convert: Any = np.asarray) -> tuple[Any, int]:
    """The loss as a function of some of its clouds, one below the other, and their rows."""
    entry = nt.losses.LOSSES[name]
    clouds, options = entry.example(np.random.default_rng(1), 6, 4)
    given = [convert(cloud) for cloud in clouds]
    ends = np.cumsum([len(given[i]) for i in positions])

    def loss(z: Any) -> Any:
        found = list(given)
        for i, end in zip(positions, ends, strict=True):
            found[i] = z[end - len(given[i]) : end]
        return entry.value(*found, **options)

    return loss, int(ends[-1])


@pytest.mark.torch
@pytest.mark.parametrize("name", nt.losses.LOSSES)
def test_every_loss_of_the_library_is_accepted(name: str) -> None:
    """In PyTorch, which has nothing to compile."""
    torch = pytest.importorskip("torch")
    loss, n = _closure(name, *nt.losses.LOSSES[name].trained, convert=torch.tensor)
    nt.testing.assert_loss_of_directions(loss, n=n, backend="torch", max_examples=16)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in IN_JAX))
        for name in nt.losses.LOSSES
    ],
)
def test_every_loss_of_the_library_is_accepted_in_jax(name: str) -> None:
    loss, n = _closure(name, *nt.losses.LOSSES[name].trained)
    nt.testing.assert_loss_of_directions(jax.jit(loss), n=n, max_examples=16)


@pytest.mark.parametrize("name", ["simsiam", "dino"])
def test_a_cloud_behind_a_stopped_gradient_has_nothing_to_test(name: str) -> None:
    position = {"simsiam": 2, "dino": 1}[name]
    loss, n = _closure(name, position)
    with pytest.raises(ValueError, match=r"zero on every ordinary cloud; .* the gradient stopped"):
        nt.testing.assert_inverse_norm_gradient(jax.jit(loss), n=n)


def _of_rows(loss: Callable[[Any], Any], n: int) -> Callable[[Any], Any]:
    """A loss of so many rows alone, so that nothing simpler is compiled."""

    def strict(z: Any) -> Any:
        if z.shape != (n, 4):
            raise ValueError(f"{n} rows, please")
        return loss(z)

    return jax.jit(strict)


@pytest.mark.parametrize("name", [pytest.param("info_nce", marks=pytest.mark.slow), "swav"])
def test_an_offset_on_a_library_loss_is_rejected(name: str) -> None:
    true, n = _closure(name, 0)
    loss = _of_rows(lambda z: true(z) + 1e-3 * (z * z).sum() ** 0.5, n)

    with pytest.raises(AssertionError, match="the loss depends on the norm"):
        nt.testing.assert_inverse_norm_gradient(loss, n=n)


@pytest.mark.parametrize("name", nt.losses.DISOBEDIENT)
def test_the_librarys_negative_controls_are_rejected(name: str) -> None:
    entry = nt.losses.DISOBEDIENT[name]
    first, *others = entry.example(np.random.default_rng(1), 6, 4)
    with pytest.raises(AssertionError, match=r"not inversely proportional[\s\S]*likely cause: "):
        nt.testing.assert_inverse_norm_gradient(
            _of_rows(lambda z: entry.value(z, *others), len(first)),
            n=len(first),
            norms=entry.norms,
        )
