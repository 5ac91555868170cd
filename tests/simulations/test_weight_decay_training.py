"""Decay shrinks weights, and through them embeddings."""

from __future__ import annotations

from simulations import weight_decay_training

from .smoke import smoke


def test_weights_shrink_by_no_more_than_decay_alone_and_grow_without_it() -> None:
    settings, weights = weight_decay_training.SMOKE, smoke("weight_decay_training").weight_norm
    change = (weights.isel(step=-1) / weights.isel(step=0)).rename("change")
    # Without biases gradients are orthogonal to weights, so they can only slow the shrinking.
    alone = (1 - settings.learning_rate * settings.decays[0]) ** settings.steps
    assert (change.sel(decay=1.0) >= alone * (1 - 1e-6)).all()
    assert (change.sel(decay=1.0) < 1).all()
    assert (change.sel(decay=0.0) > 1).all()


def test_all_decays_start_from_the_same_networks() -> None:
    first = smoke("weight_decay_training").isel(step=0)
    assert first.sel(decay=0.0, drop=True).equals(first.sel(decay=1.0, drop=True))


def test_embeddings_are_smaller_with_decay() -> None:
    last = smoke("weight_decay_training").norm.isel(step=-1)
    assert (last.sel(decay=1.0) < last.sel(decay=0.0)).all()
