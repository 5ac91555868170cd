"""The door of the public functions: what is let in, and the exact powers of two behind it."""

from __future__ import annotations

import math

import array_api_compat
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from normtheory import _arrays, particles
from tests.helpers import DTYPES, PROPERTY, precision

POSITIVE = st.floats(np.finfo(np.float64).tiny, np.finfo(np.float64).max)


@PROPERTY
@given(POSITIVE)
def test_power_of_two_is_the_largest_not_above(x):
    power = float(_arrays.power_of_two(array_api_compat.array_namespace(np.ones(1)), np.array(x)))
    assert math.frexp(power)[0] == 0.5
    assert power <= x
    assert x / power < (4 if x >= 2.0**1023 else 2)
    assert 1 / power >= np.finfo(np.float64).tiny  # a division may go through the reciprocal


@pytest.mark.parametrize("dtype", DTYPES)
def test_power_of_two_at_the_ends_of_the_range(dtype):
    info = np.finfo(dtype)
    x = np.array([0.0, info.tiny, 1.0, info.max], dtype)
    # Not 2^(maxexp-1): its reciprocal would be subnormal, and JAX flushes those to zero.
    expected = np.array([1.0, info.tiny, 1.0, 2.0 ** (info.maxexp - 2)], dtype)
    np.testing.assert_array_equal(_arrays.power_of_two(np, x), expected)
    with precision(dtype):
        found = jax.jit(lambda a: _arrays.power_of_two(jnp, a))(jnp.asarray(x))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_power_of_two_in_jax_is_that_of_numpy(dtype):
    info = np.finfo(dtype)
    powers = np.ldexp(dtype(1), np.arange(info.minexp + 1, info.maxexp, 7))
    x = np.concatenate([powers, np.nextafter(powers, 0), 1.5 * powers])
    with precision(dtype):
        found = np.asarray(_arrays.power_of_two(jnp, jnp.asarray(x.astype(dtype))))
        # No number has a power below it, or it is a zero on a CPU.
        odd = jnp.asarray(np.array([np.inf, np.nan, info.smallest_subnormal], dtype))
        np.testing.assert_array_equal(_arrays.power_of_two(jnp, odd), [np.nan, np.nan, 1])
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, _arrays.power_of_two(np, x.astype(dtype)))


@pytest.mark.torch
@pytest.mark.parametrize("dtype", DTYPES)
def test_power_of_two_in_torch(dtype):
    torch = pytest.importorskip("torch")
    x = torch.tensor(np.array([0.0, 1e-30, 3.0], dtype))
    found = _arrays.power_of_two(array_api_compat.array_namespace(x), x)
    np.testing.assert_array_equal(found.numpy(), _arrays.power_of_two(np, x.numpy()))


def test_the_scale_is_not_differentiated():
    assert jax.grad(lambda x: _arrays.power_of_two(jnp, x))(3.0) == 0
    assert jax.grad(lambda x: x * _arrays.power_of_two(jnp, x))(3.0) == 2


def test_values_are_seen_where_they_are_there():
    np.testing.assert_array_equal(_arrays.concrete(np.ones(2)), np.ones(2))
    np.testing.assert_array_equal(_arrays.concrete(jnp.ones(2)), np.ones(2))
    seen = []
    jax.jit(lambda x: seen.append(_arrays.concrete(x)))(jnp.ones(2))
    jax.vmap(lambda x: seen.append(_arrays.concrete(x)) or x)(jnp.ones(2))
    assert seen == [None, None]


@pytest.mark.torch
def test_values_of_torch_are_seen_where_they_are_there():
    torch = pytest.importorskip("torch")
    seen = []
    torch.func.vmap(lambda x: seen.append(_arrays.concrete(x)) or x)(torch.ones(2))
    assert seen == [None]
    leaf = torch.ones(2, requires_grad=True)
    np.testing.assert_array_equal(_arrays.concrete(leaf), np.ones(2))


def test_vectors_come_back_with_one_shape():
    xp, (z, y) = _arrays.vectors(z=np.ones((3, 1, 2)), y=np.ones((4, 2)))
    assert z.shape == y.shape == (3, 4, 2)
    assert xp is array_api_compat.array_namespace(z)


def test_zero_rows_pass_only_where_they_may():
    _arrays.vectors(allow_zero=("v",), z=np.ones(2), v=np.zeros(2))
    with pytest.raises(ValueError, match="z is zero"):
        _arrays.vectors(allow_zero=("v",), z=np.zeros(2), v=np.ones(2))


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_one_entry_makes_a_row_not_finite(array, bad, column):
    z = np.ones((4, 3), np.float32)
    z[2, column] = bad
    for check in (_arrays.check_rows, lambda name, x: _arrays.vectors(**{name: x})):
        with pytest.raises(ValueError, match=r"^z row 2 is not finite$"):
            check("z", array(z))


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
@pytest.mark.parametrize(("bad", "text"), [(0.0, "is zero: a"), (np.nan, "is not finite")])
def test_the_first_of_several_bad_rows_is_named(array, bad, text):
    z = np.ones((5, 3), np.float32)
    z[[1, 2, 4]] = bad
    with pytest.raises(ValueError, match=f"^z row 1 {text}"):
        _arrays.check_rows("z", array(z))
    # In the order of C: the last axis goes first.
    grid = np.ones((2, 3, 3), np.float32)
    grid[[0, 0, 1], [1, 2, 0]] = bad
    with pytest.raises(ValueError, match=rf"^z row \(0, 1\) {text}"):
        _arrays.check_rows("z", array(grid))
    numbers = np.array([1.0, -1.0, 2.0, -3.0])
    with pytest.raises(ValueError, match=r"got -1\.0 at index 1$"):
        _arrays.check_values("x", array(numbers), above=0.0)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_row_with_one_nonzero_entry_is_not_zero(column):
    z = np.zeros((2, 3))
    z[:, column] = -1e-300
    _arrays.check_rows("z", z)


def test_numbers_take_library_and_dtype_from_the_arrays():
    xp, (a, b) = _arrays.scalars(a=jnp.ones(3, "float32"), b=2)
    assert xp is array_api_compat.array_namespace(a)
    assert isinstance(b, jax.Array)
    assert b.dtype == jnp.float32
    _, (a, b, c) = _arrays.scalars(a=1, b=np.float32(2), c=3.5)
    assert {x.dtype for x in (a, b, c)} == {np.dtype(np.float64)}
    assert all(isinstance(x, np.ndarray) for x in (a, b, c))


@pytest.mark.parametrize(
    ("bounds", "value", "passes"),
    [
        ({"above": 0.0}, 0.0, False),
        ({"above": 0.0}, 1e-300, True),
        ({"least": 0.0}, 0.0, True),
        ({"least": 0.0}, -1e-300, False),
        ({"most": 1.0}, 1.0, True),
        ({"most": 1.0}, 1.1, False),
        ({}, -1e300, True),
        ({}, np.inf, False),
        ({}, np.nan, False),
    ],
)
def test_bounds(bounds, value, passes):
    if passes:
        _arrays.check_values("x", np.array(value), **bounds)
    else:
        with pytest.raises(ValueError, match="x: expected a finite number"):
            _arrays.check_values("x", np.array(value), **bounds)


ATTRACTION = particles.System(particles.forces.attraction(), 1.0)
Z, Y = np.random.default_rng(3).standard_normal((2, 6, 3))
CLASSES = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    "function",
    [
        nt.cosine_similarity,
        nt.losses.info_nce,
        lambda z, y: nt.losses.supcon(z, CLASSES.astype(z.dtype.byteorder + "i8")),
        lambda z, y: nt.losses.siglip(z, y, bias=z[0, 0]),
        lambda z, y: nt.invariants.torque([z], [y]),
        lambda z, y: nt.effective_learning_rate(0.1, (z**2).astype(z.dtype)),
        lambda z, y: nt.simulate_pairs((z[0] ** 2 / 4).astype(z.dtype), 1.0, 1.0, 0.1).steps,
        lambda z, y: nt.cut_init({"w": z}, 2.0)["w"],
        lambda z, y: nt.diagnose(
            z, CLASSES.astype(z.dtype.byteorder + "i8"), neighbours=1
        ).to_dict(),
        lambda z, y: np.asarray(particles.init(ATTRACTION, z, y).positions[0]),
        lambda z, y: np.asarray(
            nt.losses.info_nce(jnp.asarray(Z, "f4"), y.astype(z.dtype.byteorder + "f4"))
        ),
    ],
)
def test_arrays_of_the_other_byte_order_are_swapped(function):
    swapped = [x.astype(x.dtype.newbyteorder()) for x in (Z, Y)]
    assert not swapped[0].dtype.isnative
    found = function(*swapped)
    np.testing.assert_equal(found, function(Z, Y))
    assert not isinstance(found, np.ndarray) or found.dtype.isnative


def test_one_byte_order_may_stand_beside_the_other():
    assert (nt.cosine_similarity(Z.astype(">f8"), Z) > 1 - 1e-15).all()


@pytest.mark.torch
def test_numpy_arrays_that_torch_does_not_take_as_they_are_are_copied():
    import torch  # pyright: ignore[reportMissingImports]

    from normtheory.torch import SupConLoss

    fixed = Y.copy()
    fixed.setflags(write=False)  # a warning, and warnings are errors here
    for y in (Y.astype(">f8"), Y[::-1], fixed):
        found = float(nt.losses.info_nce(torch.tensor(Z), y))
        assert found == pytest.approx(nt.losses.info_nce(Z, np.array(y)), rel=1e-13)
    labels = CLASSES[:3].astype(">i8")[::-1]
    found = SupConLoss(temperature=0.1)(torch.tensor(np.stack([Z[:3], Z[3:]], 1)), labels)
    joined = Z[[0, 3, 1, 4, 2, 5]]
    assert float(found) == pytest.approx(
        nt.losses.supcon(joined, np.repeat(labels, 2), temperature=0.1)
    )


def test_what_numpy_saves_without_a_name_is_told_how_to_cast():
    for width, told in ((2, r"\.view\(ml_dtypes.bfloat16\)\.astype"), (1, "before saving")):
        z = np.zeros((2, 3), f"V{width}")
        for function in (nt.diagnose, lambda z: nt.cosine_similarity(z, z), nt.losses.uniformity):
            with pytest.raises(TypeError, match=rf"got (void{8 * width}|.V{width}); .*{told}"):
                function(z)
