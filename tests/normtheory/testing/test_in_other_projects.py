"""The kit in a user's own suite, in a script, and without what is optional."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

USER_TESTS = """
import numpy as np
import normtheory as nt
from hypothesis import given, settings

KEYS = np.random.default_rng(0).standard_normal((6, 4))

def my_loss(z, epsilon=0.0):
    norms = np.linalg.norm(z, axis=1) + epsilon
    return -np.mean(np.sum(z * KEYS, axis=1) / norms)

def test_mine_obeys():
    nt.testing.assert_inverse_norm_gradient(my_loss)

def test_mine_with_an_epsilon():
    nt.testing.assert_inverse_norm_gradient(lambda z: my_loss(z, 0.01))

@settings(max_examples=10)
@given(nt.testing.point_clouds(n=6, dimension=4))
def test_mine_is_bounded(cloud):
    assert abs(my_loss(cloud.embeddings)) <= np.linalg.norm(KEYS, axis=1).mean()

@settings(max_examples=3, deadline=None)
@given(nt.testing.norms())
def test_inside_a_property(norm):
    nt.testing.assert_orthogonal_gradient(lambda z: my_loss(z) * norm, max_examples=3)

def broken(z):
    return np.mean(z) @ np.ones((7, 3))

def test_a_loss_that_fails():
    nt.testing.assert_scale_invariant(broken)

def test_no_loss():
    nt.testing.valid_norm_range(3)
"""


def _python(root: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(root), "PATH": "", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


@pytest.mark.slow
def test_a_users_suite(root: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(USER_TESTS)
    done = _python(root, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "3 failed, 3 passed" in done.stdout
    assert "FAILED test_mine.py::test_mine_with_an_epsilon" in done.stdout
    assert "likely cause: an epsilon of about 1e-2 dominates below norm" in done.stdout
    assert "smallest counterexample found (numpy, float64, seed 0)" in done.stdout
    assert "z = [[" in done.stdout

    # A wrong call is told at its own line, without a chain of errors.
    assert "During handling" not in done.stdout
    assert "direct cause" not in done.stdout
    assert "numpy: ValueError: matmul: " in done.stdout
    line = 1 + USER_TESTS.splitlines().index("    return np.mean(z) @ np.ones((7, 3))")
    assert f" (test_mine.py, line {line})" in done.stdout
    # pytest names every frame it shows; these are the tests' own.
    shown = re.findall(r"^(\S+\.py):\d+:", done.stdout, re.M)
    assert shown == 3 * ["test_mine.py"]


@pytest.mark.slow
def test_a_script_loads_no_library_that_the_loss_does_not_need(root: Path, tmp_path: Path) -> None:
    script = """
import sys
import numpy as np
import normtheory as nt
nt.testing.assert_loss_of_directions(lambda z: np.mean(z[:, 0] / np.linalg.norm(z, axis=1)))
assert "jax" not in sys.modules and "torch" not in sys.modules
import jax.numpy as jnp
nt.testing.assert_inverse_norm_gradient(
    lambda z: jnp.mean(z[:, 0] / jnp.linalg.norm(z, axis=1)), max_examples=5
)
def only_jax(z):
    if isinstance(z, np.ndarray):
        raise ValueError("JAX arrays, please")
    return jnp.mean(z[:, 0] / jnp.linalg.norm(z, axis=1))
nt.testing.assert_inverse_norm_gradient(only_jax, max_examples=5)
import jax
assert not jax.config.jax_enable_x64
assert "torch" not in sys.modules and "pytest" not in sys.modules
print("done")
"""
    done = _python(root, tmp_path, "-c", script)
    assert done.stdout == "done\n", done.stderr


def test_without_hypothesis_one_line_says_what_to_install(root: Path, tmp_path: Path) -> None:
    script = "import sys; sys.modules['hypothesis'] = None; import normtheory.testing"
    done = _python(root, tmp_path, "-c", script)
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "ModuleNotFoundError: normtheory.testing needs hypothesis: pip install normtheory[testing]"
    )


def test_without_torch_one_line_says_what_to_install(root: Path, tmp_path: Path) -> None:
    script = """
import sys
sys.modules["torch"] = None
import normtheory as nt
nt.testing.assert_inverse_norm_gradient(lambda z: z.norm(), backend="torch")
"""
    done = _python(root, tmp_path, "-c", script)
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "ModuleNotFoundError: backend 'torch' needs PyTorch: pip install normtheory[torch]"
    )
