"""Every closed form is the gradient of the plain definition, over point clouds of every kind."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from normtheory.losses import LOSSES
from normtheory.verify._plain_losses import PLAIN
from tests.helpers import tolerance
from tests.normtheory.losses import batches, cases
from tests.normtheory.losses.batches import Batch, batch
from tests.normtheory.losses.cases import CASES, SHAPES, SPREADS, Case, error
from tests.normtheory.losses.loops import exact


def test_every_loss_has_a_plain_definition_and_a_case():
    assert set(PLAIN) == set(LOSSES) == {case.name for case in CASES}


@cache
def _over_the_clouds(shape: tuple[int, int]) -> list[tuple[str, Batch, Any, Any]]:
    """Spread, batch, closed forms, plain definition: once for all cases."""
    found = []
    for seed, spread in enumerate(SPREADS):
        given = batch(seed, *shape, spread)
        found.append((spread, given, _closed_forms(given, shape), batches.plain(given)))
    return found


def _closed_forms(given: Batch, shape: tuple[int, int]) -> dict[str, Any]:
    """By JAX; for two points in the plane by numpy, which has nothing to compile."""
    if shape == (2, 2):
        return {case.label: _by_numpy(case, *given[case.label]) for case in CASES}
    return batches.closed_forms(given)


def _by_numpy(case: Case, clouds: Any, options: Any) -> Any:
    return case.loss.gradient(*clouds, **options)


@pytest.mark.parametrize(
    "shape",
    # Another shape is another compilation of all losses.
    [pytest.param(s, marks=[pytest.mark.slow] * (s != (7, 3))) for s in SHAPES],
    ids=lambda shape: f"n={shape[0]},d={shape[1]}",
)
@pytest.mark.parametrize("case", **cases.cases)
def test_the_closed_form_is_the_gradient_of_the_plain_definition(case, shape):
    some = False
    for spread, given, closed, plain in _over_the_clouds(shape):
        clouds, options = given[case.label]
        found, by_grad = closed[case.label], plain[case.label].clouds
        assert len(found) == len(case.loss.trained)
        sizes = case.sizes(clouds, options)
        for position, gradient, size in zip(case.loss.trained, found, sizes, strict=True):
            assert gradient.shape == clouds[position].shape
            worst = (error(gradient, by_grad[position], clouds[position]) / size).max()
            assert worst <= tolerance("gradient"), (spread, position)
            some |= bool((error(gradient, 0, clouds[position]) > 1e-3 * size).any())
        for position in set(range(len(clouds))) - set(case.loss.trained):
            assert not by_grad[position].any()  # the source holds it constant
    # Not a comparison of zeros: two points of one class alone have nothing to learn.
    assert some or (case.name == "supcon" and shape == (2, 2))


@pytest.mark.parametrize("case", **cases.cases)
def test_the_closed_form_of_two_points_in_the_plane_is_the_gradient_of_the_loop(case):
    """By numpy and mpmath, which have nothing to compile."""
    some = False
    for seed, spread in enumerate(SPREADS):
        clouds, options = batch(seed, 2, 2, spread)[case.label]
        found, sizes = _by_numpy(case, clouds, options), case.sizes(clouds, options)
        exact = _by_loops(case, clouds, options)
        for position, g, size in zip(case.loss.trained, found, sizes, strict=True):
            off = error(g, exact[position], clouds[position]) / size
            assert off.max() <= tolerance("gradient"), (spread, position)
            some |= bool((error(g, 0, clouds[position]) > 1e-3 * size).any())
    # Two points of one class alone have nothing to learn.
    assert some or case.name == "supcon"


def _by_loops(case: Case, clouds: Any, options: dict[str, Any]) -> dict[int, np.ndarray]:
    """Gradients of the trained clouds by their position."""
    others = {name: x for name, x in options.items() if name != "symmetric"}
    entries = [(i, *entry) for i in case.loss.trained for entry in np.ndindex(clouds[i].shape)]
    _, found = exact(case.name, clouds, others, entries=entries, digits=60)
    if options.get("symmetric"):  # the other role of the two clouds is added
        swapped = [(1 - i, *entry) for i, *entry in entries]
        _, more = exact(case.name, clouds[::-1], others, entries=swapped, digits=60)
        found = [a + b for a, b in zip(found, more, strict=True)]
    gradients = {i: np.zeros_like(clouds[i]) for i in case.loss.trained}
    for (i, *entry), derivative in zip(entries, found, strict=True):
        gradients[i][tuple(entry)] = float(derivative)
    return gradients


@pytest.mark.parametrize("case", **cases.cases)
def test_the_value_is_that_of_the_plain_definition_and_its_derivatives_are_the_closed_form(case):
    clouds, options = batch(0)[case.label]
    found, plain = batches.library_of(0)[case.label], batches.plain_of(0)[case.label]
    np.testing.assert_allclose(
        found.value, plain.value, rtol=tolerance("closed_form"), atol=tolerance("gradient")
    )
    expected = 0.0
    sizes = case.sizes(clouds, options)
    for position, closed, size in zip(case.loss.trained, found.gradients, sizes, strict=True):
        off = error(found.by_grad[position], closed, clouds[position]) / size
        assert off.max() <= tolerance("similarity")
        expected += float(np.sum(closed * found.tangents[position]))
    # A direction as long as the rows: a sum over the rows of what each may have.
    most = sum(len(z) * np.max(s) for z, s in zip(clouds, sizes, strict=False))
    for name, closed in found.options.items():
        half = 0.5 * batches.full(case, options)[name]
        expected += half * closed
        most += abs(half) * case.option_size(7)
    assert abs(found.change - expected) <= tolerance("similarity") * most
