"""Brief programs say the same as others, and with any XLA."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
import pytest

from normtheory import _program as program
from normtheory.verify import _verify
from normtheory.verify._sample import Measurement, Sample


@pytest.fixture
def other_xla(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An XLA that has none of the options."""
    monkeypatch.setattr(program, "QUICK", {"xla_option_of_no_version": 1})
    program._known.cache_clear()
    yield
    program._known.cache_clear()


def _power(x: float, times: int) -> jax.Array:
    return jax.numpy.prod(jax.numpy.stack([jax.numpy.asarray(x)] * times))


def test_settings_are_those_of_jit() -> None:
    gone = set() if jax.__version_info__ < (0, 10) else {"xla_cpu_use_fusion_emitters"}
    assert program._known() == {k: v for k, v in program.QUICK.items() if k not in gone}
    assert program.brief(_power, static_argnames="times")(3.0, 4) == 81


@pytest.mark.usefixtures("other_xla")
def test_unknown_options_are_left_out() -> None:
    assert program._known() == {}
    assert program.brief(_power, level=1, static_argnames="times")(2.0, times=3) == 8


def test_a_length_chooses_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    call = program.by_length(_power, few=3, static_argnames="times")
    assert [call(length, 2.0, times=length) for length in (3, 4)] == [8, 16]
    monkeypatch.setattr(program, "brief", lambda function, *, level: lambda *_: level)
    call = program.by_length(_power, few=3)
    assert [call(length, 2.0) for length in (1, 3, 4, 100)] == [0, 0, 1, 1]


def test_an_option_that_is_known_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"xla_cpu_parallel_codegen_split_count": 1}
    monkeypatch.setattr(program, "QUICK", {"xla_option_of_no_version": 1, **known})
    program._known.cache_clear()
    assert program._known() == known
    program._known.cache_clear()


def test_an_option_spelt_out_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def measured(d: int, points: int, rng: np.random.Generator, *, kind: str = "usual") -> Sample:
        del d, points, rng
        calls.append(kind)
        return Sample({}, {}, ())

    monkeypatch.setitem(_verify.MEASUREMENTS, "of_kinds", Measurement(measured, (3,)))
    measure = _verify._measurer(0, 4, (3,))
    assert measure("of_kinds", {}) is measure("of_kinds", {"kind": "usual"})
    assert measure("of_kinds", {}) is not measure("of_kinds", {"kind": "other"})
    assert calls == ["usual", "other"]
