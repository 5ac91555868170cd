"""The rule for settings."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from simulations._settings import check_positive


@dataclass(frozen=True)
class _Settings:
    norms: tuple[float, ...] = (1.0, 2.0)
    pairs: int = 3
    seed: int = 0


def test_positive_settings_pass() -> None:
    check_positive(_Settings())
    check_positive(_Settings(norms=(1e-300,), seed=7))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (_Settings(norms=(1.0, -2.0)), "norms: expected finite numbers > 0, got 1.0,-2.0"),
        (_Settings(norms=(float("inf"),)), "norms: expected finite numbers > 0, got inf"),
        (_Settings(norms=()), "norms: expected finite numbers > 0, got nothing"),
        (_Settings(pairs=0), "pairs: expected finite numbers > 0, got 0"),
        (_Settings(seed=-1), "seed: expected an integer >= 0, got -1"),
    ],
)
def test_others_are_named(settings: _Settings, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_positive(settings)
    assert str(caught.value) == message
