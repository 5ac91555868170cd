"""The public names: loaded when used, and importing the package changes nothing."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt

HEAVY = ("jax", "sympy", "hypothesis", "scipy", "torch", "matplotlib", "numpy", "optax")


def _python(code: str, root) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_nothing_heavy(root):
    code = f"import sys, normtheory; print([m for m in {HEAVY} if m in sys.modules])"
    assert _python(code, root) == "[]"


def test_cosine_of_numpy_arrays_loads_neither_jax_nor_sympy(root):
    code = (
        "import sys, numpy as np, normtheory as nt; nt.cosine_similarity(np.ones(2), np.ones(2));"
        "nt.pair_step(nt.PairState(1.0, 1.0, 1.0), 0.1);"
        "print([m for m in ('jax', 'sympy', 'hypothesis', 'torch') if m in sys.modules])"
    )
    assert _python(code, root) == "[]"


def test_every_public_name_is_there():
    # In a process of their own they are loaded by tests/test_packaging.py.
    assert [n for n in nt.__all__ if getattr(nt, n) is None] == []
    assert set(nt.__all__) <= set(dir(nt))
    assert nt.__all__ == sorted(set(nt.__all__))
    for name in ("cosine_similarity", "angle", "cosine_gradient", "tangent_projection"):
        assert getattr(nt, name).__name__ == name


def test_every_public_function_says_what_it_does():
    for name in nt.__all__:
        if name != "__version__":
            assert getattr(nt, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'normtheory' has no attribute 'cosin'"):
        nt.cosin  # noqa: B018 # pyright: ignore


def test_the_float64_flag_of_jax_stays_as_it_was():
    # The fixture of tests/conftest.py compares the flag after every test, so after this one too.
    before = jnp.ones(1).dtype, jnp.asarray(np.ones(1)).dtype
    nt.simulate_pairs(1.0, 1.0, 1.0, 0.1)
    nt.cosine_gradient(jnp.ones(2), jnp.ones(2))
    assert (jnp.ones(1).dtype, jnp.asarray(np.ones(1)).dtype) == before


@pytest.mark.slow
def test_results_do_not_depend_on_the_float64_flag(root):
    here: bool = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    code = f"""
import os
os.environ["JAX_ENABLE_X64"] = "{int(not here)}"
import jax, jax.numpy as jnp, numpy as np, normtheory as nt
run = nt.simulate_pairs(np.array([1.0, 2.0]), 3.0, 3.0, 0.1)
z = jnp.asarray([1.0, 2.0], dtype="float32")
gradient = jax.jit(nt.cosine_gradient)(z, z[::-1])
print(int(run.steps), run.angle.dtype, gradient.dtype, jax.config.jax_enable_x64)
print(*(float(x).hex() for x in (*run.angle, *gradient)))
"""
    said, numbers = _python(code, root).splitlines()
    run = nt.simulate_pairs(np.array([1.0, 2.0]), 3.0, 3.0, 0.1)
    z = np.array([1.0, 2.0], dtype=np.float32)
    gradient = jax.jit(nt.cosine_gradient)(jnp.asarray(z), jnp.asarray(z[::-1]))
    assert said == f"{run.steps} float64 float32 {not here}"
    assert (run.angle.dtype, gradient.dtype) == (np.float64, np.float32)
    found = [float.fromhex(x) for x in numbers.split()]
    np.testing.assert_array_equal(found[:2], run.angle)
    np.testing.assert_allclose(found[2:], nt.cosine_gradient(z, z[::-1]), rtol=1e-6)
    np.testing.assert_allclose(found[2:], gradient, rtol=1e-6)


def test_jax_compiles_batched_products_correctly():
    """A canary: jax 0.10.2 gets this wrong on the CPU (https://github.com/jax-ml/jax/issues/39103)."""
    rng = np.random.default_rng(0)
    matrix, x = rng.standard_normal((3, 3)), rng.standard_normal((16_385, 3))

    def square_length(w, x):
        y = w @ x
        return (y * y).sum()

    with jax.enable_x64(True):
        found = jax.jit(jax.vmap(square_length, in_axes=(None, 0)))(matrix, x)
        np.testing.assert_allclose(found, ((x @ matrix.T) ** 2).sum(axis=1), rtol=1e-12)


def test_a_large_batch_compiles_correctly():
    """The second half of the canary, with the library's own formula."""
    rng = np.random.default_rng(1)
    z, y = rng.standard_normal((2, 65_537, 3))
    with jax.enable_x64(True):
        for function in (nt.cosine_similarity, nt.cosine_gradient):
            found = jax.jit(function)(z, y)
            np.testing.assert_allclose(found, function(z, y), rtol=0, atol=1e-13)
            one_by_one = jax.jit(jax.vmap(function))(z, y)
            np.testing.assert_allclose(one_by_one, function(z, y), rtol=0, atol=1e-13)
