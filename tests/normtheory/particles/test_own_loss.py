"""A loss that a user makes drives the simulator as those of the library do."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from normtheory.losses import REQUIRED, Cloud, Loss, Option, Rows, Slope, by_rows
from normtheory.particles import System, forces, init, run, sampling

N, D, STEPS = 10, 3, 4


def _slope(xp: Any, u: Any, v: Any, *, labels: Any, strength: Any) -> Slope:
    """Mean over rows of Σ_b (û_a·v̂_b)² over the b of another class, times a strength."""
    n = u.shape[0]

    def of_block(s: Any, index: Any, own: Any) -> Rows:
        apart = xp.where(own[:, None] != labels[None, :], s, xp.zeros_like(s))
        return Rows(xp.sum(apart * apart, axis=-1), 2 * apart)

    found = by_rows(xp, of_block, u, v, labels)
    total = xp.sum(found.loss) / n
    pushed = {"z": strength / n * found.rows, "centres": strength / n * found.columns}
    return Slope(strength * total, pushed, {"strength": total})


MINE = Loss(
    name="squares",
    summary="Squared cosines with the partners of another class.",
    clouds=(Cloud("z"), Cloud("centres")),
    options=(
        Option("labels", REQUIRED, "classes", kind="labels", shape=("n",), per_row=True),
        Option("strength", 1.0, "a factor", trained=True, above=0.0),
    ),
    slope=_slope,
    source="a test",
    all_pairs=True,
)


def plainly(z: Any, centres: Any, *, labels: Any, every: Any, strength: Any) -> Any:
    """The same without the library; ``every`` are the labels of the columns."""
    u, v = (x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (z, centres))
    apart = labels[:, None] != every[None, :]
    return strength * jnp.sum(apart.astype(z.dtype) * (u @ v.T) ** 2) / len(z)


@pytest.mark.parametrize(
    "block", [None, *(pytest.param(block, marks=pytest.mark.slow) for block in (4, "auto"))]
)
def test_it_moves_particles_as_autodiff_of_its_definition_does(block: Any) -> None:
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((2, N, D))
    labels = rng.permutation(np.arange(N) % 3)
    own = System(forces.loss(MINE, labels=labels, strength=0.7, block=block), 2.0)
    known = forces.function(plainly, labels=labels, every=labels, strength=0.7)
    found = run(own, init(own, z, y), STEPS, record=("loss",))
    other = System(known, 2.0)
    wanted = run(other, init(other, z, y), STEPS, record=("loss",))
    for one, two in zip(found.state.positions, wanted.state.positions, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=64 * np.finfo(float).eps)
    np.testing.assert_allclose(found.records["loss"], wanted.records["loss"], rtol=1e-13)


def test_its_labels_follow_a_minibatch() -> None:
    rng = np.random.default_rng(1)
    z, y = rng.standard_normal((2, N, D))
    labels = rng.permutation(np.arange(N) % 3)
    drawn = sampling.minibatch(4, replace=False)
    system = System(forces.loss(MINE, labels=labels), 0.5, sampling=drawn)
    start = init(system, z, y, seed=3)
    after = run(system, start, 1).state.positions
    moved = np.flatnonzero(np.any(after[0] != start.positions[0], axis=1))
    assert len(moved) == 4
    with jax.enable_x64(True):
        batch = tuple(jnp.asarray(x[moved]) for x in (z, y))
        some = jnp.asarray(labels[moved])
        gradients = jax.jit(
            jax.grad(lambda clouds: plainly(*clouds, labels=some, every=some, strength=1.0))
        )(batch)
    for k, g in enumerate(gradients):
        expected = np.asarray(start.positions[k])[moved] - 0.5 * np.asarray(g)
        np.testing.assert_allclose(np.asarray(after[k])[moved], expected, rtol=0, atol=1e-14)


def test_blocks_are_for_losses_of_all_pairs() -> None:
    with pytest.raises(ValueError, match=r"block: alignment isn't of all pairs .*as are .*clip"):
        forces.loss("alignment", block=4)
    with pytest.raises(ValueError, match="block: expected an integer >= 1, got 'all'"):
        forces.loss("clip", block="all")
