"""Losses that are no function of the cloud: which draw numbers, and which remember."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import normtheory as nt
from normtheory.testing._evaluate import TorchEvaluator

Z = np.random.default_rng(0).standard_normal((6, 4))
DRAWS = "on the same cloud; it draws random numbers: fix its seed$"
REMEMBERS = "on the same cloud; it keeps a state that its calls change, such as a running mean"


def _unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def _centred() -> Callable[[np.ndarray], float]:
    """To a centre that follows the clouds, as DINO's does; the first cloud alone leaves it be."""
    held: list[np.ndarray] = []

    def loss(z: np.ndarray) -> float:
        mean = _unit(z).mean(axis=0)
        held[:] = [0.9 * held[0] + 0.1 * mean] if held else [mean]
        return -float(np.sum((_unit(z) - held[0]) ** 2))

    return loss


def _annealed() -> Callable[[np.ndarray], float]:
    calls: list[None] = []

    def loss(z: np.ndarray) -> float:
        calls.append(None)
        return float(_unit(z).sum()) / len(calls)

    return loss


def _own_generator() -> Callable[[np.ndarray], float]:
    rng = np.random.default_rng(0)
    return lambda z: float(_unit(z)[:, 0].sum() * rng.random())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: lambda z: float(_unit(z)[:, 0].sum() * np.random.rand()), DRAWS),  # noqa: NPY002
        (lambda: lambda z: float(_unit(z)[:, 0].sum() * random.random()), DRAWS),
        (_centred, REMEMBERS),
        (_annealed, REMEMBERS),
        (_own_generator, "from a generator of its own, or keeps a state"),
    ],
)
def test_a_loss_is_told_what_it_is(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(ValueError, match="^loss: returned .*" + told):
        nt.testing.assert_scale_invariant(make(), backend="numpy")


def test_the_seeds_of_the_user_go_on_as_they_were() -> None:
    state = np.random.get_state(), random.getstate()  # noqa: NPY002
    drawn = [[np.random.rand() for _ in range(30)], [random.random() for _ in range(30)]]  # noqa: NPY002
    np.random.set_state(state[0])  # noqa: NPY002
    random.setstate(state[1])
    calls = []

    def loss(z: np.ndarray) -> float:
        calls.append([np.random.rand(), random.random()])  # noqa: NPY002
        return sum(calls[-1]) + float(z.sum())

    with pytest.raises(ValueError, match=DRAWS):
        nt.testing.assert_scale_invariant(loss, backend="numpy")
    # Three calls as they come, and two under a seed.
    assert calls[:3] == [list(pair) for pair in zip(*(x[:3] for x in drawn), strict=True)]
    assert [np.random.rand(), random.random()] == [x[3] for x in drawn]  # noqa: NPY002


@pytest.mark.torch
def test_dropout_draws_and_a_centre_of_torch_remembers() -> None:
    import torch  # pyright: ignore[reportMissingImports]

    held: list[Any] = []

    def centred(z: Any) -> Any:
        u = torch.nn.functional.normalize(z, dim=1)
        held[:] = [0.9 * held[0] + 0.1 * u.detach().mean(0)] if held else [u.detach().mean(0)]
        return -((u - held[0]) ** 2).sum()

    def dropped(z: Any) -> Any:
        return torch.nn.functional.dropout(torch.nn.functional.normalize(z, dim=1))[:, 0].sum()

    before = torch.get_rng_state()
    for loss, told in ((centred, REMEMBERS), (dropped, DRAWS)):
        with pytest.raises(ValueError, match=told):
            nt.testing.assert_scale_invariant(loss, backend="torch")
    torch.set_rng_state(before)


@pytest.mark.torch
def test_a_torch_loss_may_work_in_place_and_differentiate_by_its_argument() -> None:
    import torch  # pyright: ignore[reportMissingImports]

    def plain(z: Any) -> Any:
        return (z / z.norm(dim=1, keepdim=True))[:2].prod(dim=0).sum()

    def in_place(z: Any) -> Any:
        z *= 4
        return plain(z)

    def of_a_gradient(z: Any) -> Any:
        value = plain(z)
        torch.autograd.grad(value, z, retain_graph=True)  # as a gradient penalty does
        return value

    expected = TorchEvaluator(plain, "float64").slope(Z)
    assert expected.value == pytest.approx(float(np.sum(np.prod(_unit(Z)[:2], axis=0))))
    for loss in (in_place, of_a_gradient):
        nt.testing.assert_scale_invariant(loss, backend="torch", max_examples=3)
        found = TorchEvaluator(loss, "float64")
        assert found.value(Z) == expected.value
        np.testing.assert_allclose(found.slope(Z).gradient, expected.gradient, rtol=1e-14)
