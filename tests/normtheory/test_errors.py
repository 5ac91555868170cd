"""What a wrong call says: every public function of pairs and vectors, matched by the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt

Z = np.array([[1.0, 2.0], [3.0, 4.0]])
GRID = np.ones((2, 3, 4))
PAIR = nt.PairState(1.0, 1.0, 1.0)


def _with_row(index: tuple[int, ...] | int, value: float) -> np.ndarray:
    grid = GRID.copy() if isinstance(index, tuple) else Z.copy()
    grid[index] = value
    return grid


TWO_VECTORS = {
    "cosine_similarity": (nt.cosine_similarity, "z", "y"),
    "angle": (nt.angle, "z", "y"),
    "cosine_gradient": (nt.cosine_gradient, "z", "y"),
    "cosine_hessian": (nt.cosine_hessian, "z", "y"),
    "tangent_projection": (nt.tangent_projection, "z", "v"),
}
BAD_VECTORS: list[tuple[Any, Any, type[Exception], str]] = [
    ([1.0, 2.0], Z, TypeError, "{z}: expected a numpy, JAX or PyTorch array, got list; wrap it"),
    (Z, (1.0, 2.0), TypeError, "{y}: expected a numpy, JAX or PyTorch array, got tuple; wrap it"),
    (1.0, Z, TypeError, "{z}: expected a numpy, JAX or PyTorch array, got float"),
    (Z, None, TypeError, "{y}: expected a numpy, JAX or PyTorch array, got NoneType"),
    (Z.astype(int), Z, TypeError, "{z}: expected float32 or float64, got int64; cast it first"),
    (Z, Z.astype("float16"), TypeError, "{y}: expected float32 or float64, got float16; cast"),
    (Z.astype(complex), Z, TypeError, "{z}: expected float32 or float64, got complex128; cast"),
    (Z, Z > 0, TypeError, "{y}: expected float32 or float64, got bool; cast it first"),
    (Z, Z.astype("f4"), TypeError, "{z} is float64 and {y} is float32: expected one dtype"),
    (np.float64(1) * np.ones(()), Z, ValueError, "{z}: expected vectors of shape (..., d) with d"),
    (Z, np.ones((2, 0)), ValueError, "{y}: expected vectors of shape (..., d) with d >= 1, got s"),
    (Z, np.ones(3), ValueError, "{z} has shape (2, 2) and {y} has shape (3,): expected the same n"),
    (np.ones((3, 2)), Z, ValueError, "the leading axes do not broadcast: {z} (3, 2), {y} (2, 2)"),
    (_with_row(1, 0.0), Z, ValueError, "{z} row 1 is zero: a zero vector has no direction"),
    (np.zeros(2), Z, ValueError, "{z} is zero: a zero vector has no direction"),
    (_with_row((1, 2), 0.0), GRID, ValueError, "{z} row (1, 2) is zero"),
    (_with_row(1, np.nan), Z, ValueError, "{z} row 1 is not finite"),
    (Z, _with_row(0, np.inf), ValueError, "{y} row 0 is not finite"),
    (GRID, _with_row((0, 1), np.nan), ValueError, "{y} row (0, 1) is not finite"),
    (Z, np.array([np.nan, 1.0]), ValueError, "{y} is not finite"),
]  # fmt: skip


@pytest.mark.parametrize("name", TWO_VECTORS)
@pytest.mark.parametrize(("first", "second", "kind", "text"), BAD_VECTORS)
def test_two_vectors(name, first, second, kind, text):
    function, z, y = TWO_VECTORS[name]
    with pytest.raises(kind, match=re.escape(text.format(z=z, y=y))):
        function(first, second)


@pytest.mark.parametrize("name", ["cosine_similarity", "angle", "cosine_gradient"])
def test_the_second_vector_may_not_be_zero_either(name):
    with pytest.raises(ValueError, match=r"y row 1 is zero: a zero vector has no direction"):
        TWO_VECTORS[name][0](Z, _with_row(1, 0.0))


# JAX arrays are made inside the tests: made while tests are collected, they would start threads
# before the mutation tests fork.
@pytest.mark.parametrize("name", TWO_VECTORS)
def test_two_vectors_of_jax(name):
    function, z, y = TWO_VECTORS[name]
    with pytest.raises(TypeError, match=f"{z}: expected float32 or float64, got bfloat16; cast it"):
        function(jnp.ones(2, "bfloat16"), jnp.ones(2))
    with pytest.raises(
        TypeError, match=f"{z} is a numpy array and {y} a JAX array: expected one l"
    ):
        function(Z, jnp.ones(2))
    with pytest.raises(ValueError, match=re.escape(f"{z} row 1 is not finite")):
        function(jnp.array([[1.0], [jnp.nan]]), jnp.ones(1))


@pytest.mark.torch
@pytest.mark.parametrize("name", TWO_VECTORS)
def test_two_vectors_of_torch(name):
    torch = pytest.importorskip("torch")
    function, z, y = TWO_VECTORS[name]
    with pytest.raises(TypeError, match=f"{z}: expected float32 or float64, got float16; cast it"):
        function(torch.ones(2, dtype=torch.float16), torch.ones(2))
    with pytest.raises(TypeError, match=f"{z} is a PyTorch array and {y} a numpy array"):
        function(torch.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=re.escape(f"{z} row 1 is zero")):
        function(torch.tensor([[1.0], [0.0]]), torch.ones(1))
    with pytest.raises(ValueError, match="the leading axes do not broadcast"):
        function(torch.ones(3, 2), torch.ones(2, 2))


def _step(**changed: Any) -> Callable[[], Any]:
    arguments: dict[str, Any] = {"state": PAIR, "learning_rate": 0.1} | changed
    return lambda: nt.pair_step(**arguments)


def _of_pairs(function: Callable[..., Any], **changed: Any) -> Callable[[], Any]:
    last = "time" if function is nt.flow_angle else "learning_rate"
    arguments: dict[str, Any] = {"angle": 1.0, "norm_i": 1.0, "norm_j": 1.0, last: 0.01} | changed
    return lambda: function(**arguments)


PAIR_FUNCTIONS = (nt.flow_angle, nt.steps_to_converge, nt.simulate_pairs)
RNG = np.random.default_rng(0)

BAD_CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # What the three functions of angle and norms have in common.
    *(
        (_of_pairs(f, **changed), kind, text)
        for f in PAIR_FUNCTIONS
        for changed, kind, text in [
            ({"angle": -0.1}, ValueError, "angle: expected a finite number"),
            ({"angle": 3.2}, ValueError, "<= 3.14159, got 3.2"),
            ({"angle": np.array([1.0, np.nan])}, ValueError, "got nan at index 1"),
            ({"norm_i": 0.0}, ValueError, "norm_i: expected a finite number and > 0, got 0.0"),
            ({"norm_j": -1.0}, ValueError, "norm_j: expected a finite number and > 0, got -1.0"),
            ({"norm_j": np.array([[1.0], [0.0]])}, ValueError, "got 0.0 at index (1, 0)"),
            ({"norm_i": np.inf}, ValueError, "norm_i: expected a finite number and > 0, got inf"),
            ({"norm_i": "1"}, TypeError, "norm_i: expected a number, or a numpy, JAX or PyTorch a"),
            ({"norm_j": [1.0]}, TypeError, "got list; wrap it in numpy.asarray(..., dtype=float)"),
            ({"angle": True}, TypeError, "angle: expected a number, or a numpy, JAX or PyTorch ar"),
            ({"angle": np.complex128(1)}, TypeError, "angle: expected a real number, got"),
            ({"angle": np.array([1, 2])}, TypeError, "angle: expected float32 or float64, got int"),
            ({"angle": np.ones(1, "f2")}, TypeError, "expected float32 or float64, got float16"),
            ({"angle": np.ones(2), "norm_i": np.ones(3)}, ValueError, "the arrays do not broadcas"),
            ({"gradscale": "1"}, TypeError, "gradscale: expected a number, got str"),
            ({"gradscale": np.ones(2)}, TypeError, "gradscale: expected a number, got ndarray"),
            ({"gradscale": True}, TypeError, "gradscale: expected a number, got bool"),
            ({"gradscale": np.nan}, ValueError, "gradscale: expected a finite number, got nan"),
        ]
    ),
    # What the two with steps have in common.
    *(
        (_of_pairs(f, **changed), kind, text)
        for f in (nt.steps_to_converge, nt.simulate_pairs)
        for changed, kind, text in [
            ({"learning_rate": 0.0}, ValueError, "learning_rate: expected a finite number and > 0"),
            ({"tolerance": 0.0}, ValueError, "tolerance: expected a number in (0, 2), got 0.0"),
            ({"tolerance": 2.0}, ValueError, "tolerance: expected a number in (0, 2), got 2.0"),
            ({"tolerance": np.ones(1)}, TypeError, "tolerance: expected a number, got ndarray"),
            ({"tolerance": None}, TypeError, "tolerance: expected a number, got NoneType"),
        ]
    ),
    (_of_pairs(nt.flow_angle, time=-1.0), ValueError, "time: expected a finite number and >= 0, g"),
    (_of_pairs(nt.steps_to_converge, ensemble_axis=0), ValueError,
     "ensemble_axis: expected an axis of an array with 0 axes, got 0"),
    (_of_pairs(nt.steps_to_converge, angle=np.ones((2, 3)), ensemble_axis=-3), ValueError,
     "ensemble_axis: expected an axis of an array with 2 axes, got -3"),
    (_of_pairs(nt.steps_to_converge, angle=np.ones(2), ensemble_axis=0.0), TypeError,
     "ensemble_axis: expected None or an integer, got float"),
    (_of_pairs(nt.steps_to_converge, angle=np.ones(2), ensemble_axis=False), TypeError,
     "ensemble_axis: expected None or an integer, got bool"),
    (_of_pairs(nt.steps_to_converge, angle=np.ones((2, 0)), ensemble_axis=1), ValueError,
     "expected at least one pair in an ensemble, got shape (2, 0)"),
    (_of_pairs(nt.simulate_pairs, angle=np.ones((2, 0))), ValueError,
     "expected at least one pair in an ensemble, got shape (2, 0)"),
    (_of_pairs(nt.simulate_pairs, max_steps=-1), ValueError, "max_steps: expected an integer >= 0"),
    (_of_pairs(nt.simulate_pairs, max_steps=1e3), ValueError, "max_steps: expected an integer >="),
    (_of_pairs(nt.simulate_pairs, record_every=0), ValueError,
     "record_every: expected an integer >= 1, got 0"),
    (_of_pairs(nt.simulate_pairs, record_every=True), ValueError,
     "record_every: expected an integer >= 1, got True"),
    (_of_pairs(nt.simulate_pairs, weight_decay=-0.1), ValueError, "weight_decay: expected a fini"),
    (_of_pairs(nt.simulate_pairs, weight_decay=100.0), ValueError,
     "learning_rate * weight_decay: expected < 1, got 1: one step would turn an embedding round"),
    (_of_pairs(nt.simulate_pairs, norm_i=1e-100, learning_rate=1.0), ValueError,
     "the effective learning rate reaches 1e+200: expected below 1e150"),
    (_of_pairs(nt.simulate_pairs, norm_j=1e-100, learning_rate=1.0, gradscale=-1.0), ValueError,
     "the effective learning rate reaches 1e+300: expected below 1e150"),
    (_step(state=nt.PairState(-1.0, 1.0, 1.0)), ValueError, "angle: expected a finite number and"),
    (_step(state=nt.PairState(1.0, np.array([1.0, 0.0]), 1.0)), ValueError,
     "norm_i: expected a finite number and > 0, got 0.0 at index 1"),
    (_step(state=nt.PairState(1.0, 1.0, np.nan)), ValueError, "norm_j: expected a finite number"),
    (_step(state=nt.PairState(1.0, [1.0], 1.0)), TypeError, "norm_i: expected a number, or a nump"),
    (_step(state=1.0), TypeError, "state: expected a PairState, got float"),
    (_step(state=(1.0, 1.0)), TypeError, "state: expected a PairState, got tuple"),
    (_step(learning_rate=-1.0), ValueError, "learning_rate: expected a finite number and > 0, got"),
    (_step(learning_rate=10.0, weight_decay=0.1), ValueError,
     "learning_rate * weight_decay: expected < 1, got 1"),
    (_step(weight_decay=-0.1), ValueError, "weight_decay: expected a finite number and >= 0, got"),
    (_step(gradscale=None), TypeError, "gradscale: expected a number, got NoneType"),
    (lambda: nt.pair_rate(0.0, 5, "mean"), ValueError, "learning_rate: expected a finite number"),
    (lambda: nt.pair_rate("1", 5, "mean"), TypeError, "learning_rate: expected a number, got str"),  # pyright: ignore
    (lambda: nt.pair_rate(1.0, 0, "mean"), ValueError, "n: expected an integer >= 1, got 0"),
    (lambda: nt.pair_rate(1.0, 2.0, "mean"), ValueError, "n: expected an integer >= 1, got 2.0"),  # pyright: ignore
    (lambda: nt.pair_rate(1.0, True, "mean"), ValueError, "n: expected an integer >= 1, got True"),
    (lambda: nt.pair_rate(1.0, 2, "avg"), ValueError,
     "reduction: expected 'mean' or 'sum', got 'avg'"),
    (lambda: nt.effective_learning_rate(-1.0, 1.0), ValueError, "learning_rate: expected a finite"),
    (lambda: nt.effective_learning_rate(1.0, 0.0), ValueError, "norm: expected a finite number an"),
    (lambda: nt.effective_learning_rate(1.0, 1.0, gradscale="p"), TypeError,  # pyright: ignore
     "gradscale: expected a number, got str"),
    (lambda: nt.equilibrium_norm(0.0, 0.1, 0.5), ValueError, "learning_rate: expected a finite nu"),
    (lambda: nt.equilibrium_norm(0.1, 0.0, 0.5), ValueError, "weight_decay: expected a finite num"),
    (lambda: nt.equilibrium_norm(1.0, 1.0, 0.5), ValueError, "learning_rate * weight_decay: expec"),
    (lambda: nt.equilibrium_norm(0.1, 0.1, 0.0), ValueError,
     "mean_square_sine: expected a finite number and > 0 and <= 1, got 0.0"),
    (lambda: nt.equilibrium_norm(0.1, 0.1, 1.1), ValueError, "and <= 1, got 1.1"),
    (lambda: nt.equilibrium_norm(0.1, 0.1, 0.5, gradscale=None), TypeError,  # pyright: ignore
     "gradscale: expected a number, got NoneType"),
    (lambda: nt.equilibrium_norm(0.1, 0.1, 0.5, gradscale=2.0), ValueError,
     "gradscale: expected a power < 2, got 2: no norm is in equilibrium there"),
    (lambda: nt.equilibrium_angular_step(0.0, 0.1), ValueError, "learning_rate: expected a finite"),
    (lambda: nt.equilibrium_angular_step(0.1, -0.1), ValueError, "weight_decay: expected a finite"),
    (lambda: nt.equilibrium_angular_step(10.0, 0.2), ValueError, "expected < 1, got 2"),
    (lambda: nt.random_pair_steps(3, 1.0, 0.1), ValueError,
     "dimension: expected an integer >= 4, got 3: the mean of tan(angle/2)**2 is infinite below"),
    (lambda: nt.random_pair_steps(True, 1.0, 0.1), ValueError, "an integer >= 4, got True"),
    (lambda: nt.random_pair_steps(4.0, 1.0, 0.1), ValueError, "expected an integer >= 4, got 4.0"),  # pyright: ignore
    (lambda: nt.random_pair_steps(5, -1.0, 0.1), ValueError, "norm: expected a finite number and "),
    (lambda: nt.random_pair_steps(5, 1.0, 0.1, tolerance=3.0), ValueError, "tolerance: expected a"),
    # The draws.
    (lambda: nt.sphere.uniform(0, 5, 3), TypeError,  # pyright: ignore
     "rng: expected a numpy.random.Generator, got int"),
    (lambda: nt.sphere.uniform(RNG, 0, 3), ValueError, "n: expected an integer >= 1, got 0"),
    (lambda: nt.sphere.uniform(RNG, True, 3), ValueError, "n: expected an integer >= 1, got True"),
    (lambda: nt.sphere.uniform(RNG, 5, 0), ValueError,
     "dimension: expected an integer >= 1, got 0"),
    (lambda: nt.sphere.von_mises_fisher(RNG, 5, np.zeros(3), 1.0), ValueError,
     "mean: expected a finite nonzero vector of shape (d,), got zero or not finite"),
    (lambda: nt.sphere.von_mises_fisher(RNG, 5, np.ones((2, 2)), 1.0), ValueError,
     "mean: expected a finite nonzero vector of shape (d,), got shape (2, 2)"),
    (lambda: nt.sphere.von_mises_fisher(RNG, 5, np.ones(1), 1.0), ValueError,
     "dimension: expected an integer >= 2, got 1"),
    (lambda: nt.sphere.von_mises_fisher(RNG, 5, np.ones(3), 0.0), ValueError,
     "concentration: expected a finite number > 0, got 0.0"),
    (lambda: nt.sphere.pairs_at_angle(RNG, 4.0, 3, n=2), ValueError,
     "angle: expected radians in [0, pi], got 4.0"),
    (lambda: nt.sphere.pairs_at_angle(RNG, 1.0, 3), ValueError, "n: expected the number of pairs"),
    (lambda: nt.sphere.pairs_at_angle(RNG, 1.0, 1, n=2), ValueError, "dimension: expected an inte"),
    (lambda: nt.sphere.pairs_at_angle(RNG, np.ones(3), 3, n=2), ValueError,
     "angle: expected a number or shape (2,), got shape (3,)"),
    (lambda: nt.sphere.log_uniform_norms(RNG, 3, 2.0, 1.0), ValueError,
     "expected 0 < low <= high < inf, got low 2.0 and high 1.0"),
    (lambda: nt.sphere.log_uniform_norms(RNG, 0), ValueError, "n: expected an integer >= 1, got 0"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "kind", "text"), BAD_CALLS)
def test_pairs_and_draws(wrong, kind, text):
    with pytest.raises(kind, match=re.escape(text)) as raised:
        wrong()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("function", PAIR_FUNCTIONS)
def test_pairs_of_jax(function):
    text = "expected arrays of one library, got angle numpy, norm_i JAX"
    with pytest.raises(TypeError, match=text):
        _of_pairs(function, angle=np.ones(2), norm_i=jnp.ones(2))()
    with pytest.raises(TypeError, match="angle: expected float32 or float64, got int32; cast it"):
        _of_pairs(function, angle=jnp.arange(2, dtype="int32"))()


def test_every_public_function_is_in_the_tables():
    named = {f.__name__ for f, _, _ in TWO_VECTORS.values()} | {f.__name__ for f in PAIR_FUNCTIONS}
    named |= {"pair_step", "pair_rate", "effective_learning_rate", "equilibrium_norm"}
    named |= {"equilibrium_angular_step", "random_pair_steps"}
    # test_pair_decay.py, test_interventions.py, test_cut_init.py, diagnosis/, prediction/
    elsewhere = {"pair_decay", "grad_scale", "cut_init", "diagnose", "predict"}
    functions = {n for n in nt.__all__ if n.islower() and callable(getattr(nt, n))}
    assert functions - elsewhere == named
