"""GradScale on PyTorch tensors: values, half precision, the ends of the range, transforms."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import normtheory as nt
from tests.helpers import PROPERTY

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

HALF = ("float16", "bfloat16")


def coming_back(z, power, gradient):
    """What arrives at z where ``gradient`` comes back to the output."""
    z = z.detach().requires_grad_()
    (found,) = torch.autograd.grad(nt.grad_scale(z, power), z, gradient)
    return found


@PROPERTY
@given(st.floats(-2.0, 3.0), st.floats(-200, 200), st.integers(0, 2**31))
def test_every_row_arrives_multiplied_by_its_own_norm_to_the_power(power, decades, seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((3, 4, 5)) * 10.0**-decades
    # as the loss gives it: as small as the norm is large
    gradient = rng.standard_normal((3, 4, 5)) / 10.0 ** (-decades * min(1.0, power))
    values = torch.tensor(z)
    assert torch.equal(nt.grad_scale(values, power), values)
    found = coming_back(values, power, torch.tensor(gradient)).numpy()
    # The mantissas by numpy, the decades apart: the power itself may not fit in a float.
    norm = np.linalg.norm(z * 10.0**decades, axis=-1, keepdims=True)
    log = np.log10(np.abs(gradient)) + power * (np.log10(norm) - decades)
    inside = (log > -300) & (log < 300)
    np.testing.assert_allclose(
        found[inside], (np.sign(gradient) * 10.0**log)[inside], rtol=1e-11
    )  # log10 of numbers up to 300 keeps 300 eps


@settings(PROPERTY, max_examples=10)  # the values themselves are above, here only the agreement
@given(st.floats(-2.0, 3.0), st.floats(-3, 3), st.integers(0, 2**31))
def test_it_is_what_jax_gives(power, decades, seed):
    z, gradient = np.random.default_rng(seed).standard_normal((2, 4, 3)).astype(np.float32)
    z *= np.float32(10**decades)
    (expected,) = jax.vjp(lambda z: nt.grad_scale(z, power), jnp.asarray(z))[1](
        jnp.asarray(gradient)
    )
    found = coming_back(torch.tensor(z), power, torch.tensor(gradient))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", HALF)
@pytest.mark.parametrize(("norm", "power"), [(300.0, 1.0), (1e-4, 1.0), (300.0, 2.0), (1e-3, -1.0)])
def test_half_precision_is_computed_in_float32(name, norm, power):
    dtype = getattr(torch, name)
    z = torch.tensor([[0.6, 0.8], [1.0, 0.0]], dtype=torch.float64).mul(norm).to(dtype)
    gradient = torch.tensor([[0.25, -0.5], [0.125, 0.5]], dtype=dtype)
    found = coming_back(z, power, gradient)
    assert found.dtype == dtype
    expected = gradient.double() * z.double().norm(dim=-1, keepdim=True) ** power
    expected = expected.clamp(-torch.finfo(dtype).max, torch.finfo(dtype).max)
    # one rounding at the end, to half a unit; subnormals of float16 have 2**-24 of absolute room
    np.testing.assert_allclose(
        found.double().numpy(), expected.numpy(), rtol=torch.finfo(dtype).eps, atol=2.0**-25
    )


def test_steps_do_not_depend_on_the_norm_for_a_power_of_two():
    y = torch.tensor([2.0, -1.0])

    def turn(norm):
        z = torch.nn.Parameter(norm * torch.tensor([1.0, 2.0]))
        before = z.detach().clone()
        loss = -torch.nn.functional.cosine_similarity(nt.grad_scale(z, 2.0), y, dim=0)
        loss.backward()
        torch.optim.SGD([z], 0.1).step()
        return float(nt.angle(before, z.detach()))

    assert turn(100.0) == pytest.approx(turn(0.01), rel=1e-4)
    # γ = 0.1 with sin φ = 1: the effective rate does not see the norm at all
    assert turn(1.0) == pytest.approx(np.arctan(0.1), rel=1e-4)


def test_second_derivatives_are_those_of_the_multiplied_gradient():
    z = torch.tensor([[3.0, 4.0], [0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    g = torch.tensor([[1.0, 2.0], [0.3, 0.4]], dtype=torch.float64, requires_grad=True)

    def multiplied(z, g):
        out = nt.grad_scale(z, 1.5)
        return torch.autograd.grad(out, z, g, create_graph=True)[0]

    assert torch.autograd.gradcheck(multiplied, (z, g))


# PyTorch's own compiler makes such an object, for any function with a gradient of its own.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_under_compile_autocast_vmap_and_grad_transforms():
    z = torch.tensor([[3.0, 4.0], [6.0, 8.0]], requires_grad=True)
    expected = torch.tensor([[5.0, 5.0], [10.0, 10.0]])
    compiled = torch.compile(
        lambda z: nt.grad_scale(z, 1.0) * 1.0, backend="aot_eager", fullgraph=True
    )
    (found,) = torch.autograd.grad(compiled(z).sum(), z)
    torch.testing.assert_close(found, expected)
    layer = torch.nn.Linear(2, 2, bias=False)
    torch.nn.init.eye_(layer.weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = nt.grad_scale(layer(z), 1.0)
        assert out.dtype == torch.bfloat16
        (found,) = torch.autograd.grad(out.sum(), z)
    torch.testing.assert_close(found, expected, rtol=2**-7, atol=0)
    each = torch.func.vmap(torch.func.grad(lambda z: nt.grad_scale(z, 1.0).sum()))(z.detach())
    torch.testing.assert_close(each, expected)
    with torch.device("meta"):  # another default device
        torch.testing.assert_close(coming_back(z, 1.0, z.new_ones(2, 2)), expected)


@pytest.mark.parametrize(
    ("z", "error", "message"),
    [
        (torch.ones(3, dtype=torch.int64), TypeError, "got int64 of shape (3,)"),
        (torch.ones(()), TypeError, "z: expected floating-point embeddings (..., d), got float32"),
        (torch.ones(3, 0), TypeError, "z: expected floating-point embeddings (..., d)"),
        (torch.eye(3)[:, :2], ValueError, "z row 2 is zero: a zero vector has no direction"),
        (torch.tensor([[1.0, 0.0], [np.inf, 1.0]]), ValueError, "z row 1 is not finite"),
        (torch.zeros(2, 1, 3, dtype=torch.bfloat16), ValueError, "z row (0, 0) is zero"),
        (torch.eye(4)[:, :2], ValueError, "z row 2 is zero"),  # and so is row 3
        (torch.tensor([[1.0], [np.nan], [np.inf]]), ValueError, "z row 1 is not finite"),
        (torch.tensor([[0.0], [np.nan]]), ValueError, "z row 1 is not finite"),
    ],
)
def test_errors(z, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nt.grad_scale(z, 1.0)
    with pytest.raises(TypeError, match="power: expected a number, got Tensor"):
        nt.grad_scale(torch.ones(3), torch.tensor(1.0))  # pyright: ignore
