"""An error in a library function turns the claims that name it red."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import normtheory as nt
from normtheory import claims
from normtheory.losses import LOSSES
from normtheory.verify import _every_loss
from normtheory.verify._judge import judge
from normtheory.verify._library import LIBRARY
from normtheory.verify._library._sphere import _of_seed
from normtheory.verify._verify import _measurer, verify_claim

from .samples import REDUCED, dear

NAMES = tuple(claims.list())
FUNCTIONS = tuple(name for name in LIBRARY if not name.startswith("normtheory.losses."))

#: A measurement calls nothing of the library but these, so that no planted error reaches it.
_MEASURED_WITH = ("normtheory.losses.", "normtheory.cut_init")


#: Their closed forms need the inputs of long runs and nothing of what comes out.
_UNMEASURED = (
    *("normtheory.equilibrium.", "normtheory.symmetric.simplex_steps"),
    "normtheory.symmetric.gap_ratio",
)
_INPUTS = _measurer(0, 4, (3,))
_ENDS = ("square", "inverse", "once", "later", "first", "last")
#: Stand for the runs: results that nothing is held to.
_NO_RUNS = {
    "_equilibria.simulate": lambda key, z, *_, **__: dict.fromkeys(_ENDS, np.ones(len(z))),
    "_simplex._count": lambda kind, z, *_: np.ones(len(z)),
    "_gap._run": lambda *_: (0.5, 3.0),
}


def _red(name: str) -> bool:
    """Whether a check of the function fails now, against closed forms alone where runs are long."""
    checks, measure = LIBRARY[name], REDUCED
    with pytest.MonkeyPatch.context() as patch:
        if name.startswith(_UNMEASURED):
            checks = tuple(check for check in checks if check.against is not None)
            assert checks
            measure = _INPUTS
            for place, stand_in in _NO_RUNS.items():
                patch.setattr(f"normtheory.verify.{place}", stand_in)
        elif name.startswith(_MEASURED_WITH):
            measure = _measurer(0, 8, (3,))
        return not all(
            judge(
                check, [check.sample(s) for s in measure(check.measurement, check.options)]
            ).passed
            for check in checks
        )


def _place(name: str) -> tuple[Any, str]:
    module, _, attribute = name.rpartition(".")
    return importlib.import_module(module), attribute


def _plant(
    monkeypatch: pytest.MonkeyPatch, name: str, error: Callable[[Callable[..., Any]], Any]
) -> None:
    module, attribute = _place(name)
    right = getattr(module, attribute)
    monkeypatch.setattr(module, attribute, functools.wraps(right)(error(right)), raising=False)
    if attribute == "cut_init":  # the networks are cut where they are measured
        monkeypatch.setattr("normtheory.verify._networks.cut_init", getattr(module, attribute))


def _off(result: Any, share: float) -> Any:
    """Whatever a function gives, all its numbers too large by a share."""
    if isinstance(result, nt.PairSimulation):
        return nt.PairSimulation(**{**result.__dict__, "norm_i": result.norm_i * (1 + share)})
    if isinstance(result, nt.PairState):
        return nt.PairState(*(np.asarray(part) * (1 + share) for part in result))
    return jax.tree.map(lambda a: a * (1 + share), result)


def _by_cost(name: str, *more: str) -> Any:
    """A name, slow where its checks need a long run: tests/normtheory/test_symmetric.py sees it."""
    long = any(map(dear, LIBRARY[name])) and not name.startswith(_UNMEASURED)
    return pytest.param(name, *more, marks=pytest.mark.slow if long else ())


NOT_RUN = sorted(set(FUNCTIONS) - {"normtheory.particles.run"})


@pytest.mark.parametrize("name", [_by_cost(name) for name in NOT_RUN])
def test_a_number_off_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Draws are held to their moments, all else to rounding or to the count of a run.
    share = 0.1 if name.startswith("normtheory.sphere.") and "pairs" not in name else 1e-6
    assert not _red(name)

    def error(right: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *a, **k: _off(right(*a, **k), share)

    _plant(monkeypatch, name, error)
    assert _red(name)


def test_grad_scale_of_another_power_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(
        monkeypatch,
        "normtheory.grad_scale",
        lambda right: lambda z, power: right(z, power + 1e-6),
    )
    assert _red("normtheory.grad_scale")


OPTIONS = [
    (name, option)
    for name in FUNCTIONS
    for option, parameter in inspect.signature(getattr(*_place(name))).parameters.items()
    if option
    in (
        *("gradscale", "repel", "stop_gradient", "weight_decay", "momentum"),
        *("coupled", "steps", "beta_1", "beta_2", "epsilon", "frequency", "decay"),
    )
    and parameter.default is not inspect.Parameter.empty
]


@pytest.mark.filterwarnings("ignore::normtheory.FlowApproximationWarning")
@pytest.mark.parametrize(("name", "option"), [_by_cost(*one) for one in OPTIONS])
def test_an_option_that_is_ignored_is_noticed(
    name: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = inspect.signature(getattr(*_place(name))).parameters[option].default

    def error(right: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *a, **k: right(*a, **{**k, option: default})

    _plant(monkeypatch, name, error)
    assert _red(name)


@pytest.mark.parametrize(
    "field",
    [
        "weight_decay",
        "learning_rate",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("gradscale", "frozen")),
    ],
)
def test_a_simulator_that_ignores_a_setting_is_noticed(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = nt.particles.System
    other = {"weight_decay": None, "gradscale": None, "frozen": (), "learning_rate": 0.05}[field]
    monkeypatch.setattr(nt.particles, "System", lambda *a, **k: _changed(right(*a, **k), other))

    def _changed(system: Any, value: Any) -> Any:
        object.__setattr__(system, field, value)
        return system

    assert _red("normtheory.particles.run")


def test_steps_to_converge_is_held_to_its_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    # Counts of runs can't tell 1 % too many, nor d − 2 for d − 3 in d = 20.
    def too_many(right: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *a, **k: 1.01 * right(*a, **k)

    # Without its algebra, which takes two seconds and knows no function of the library.
    claim = dataclasses.replace(claims.get("norm_effect"), proof=dict, planted_proof=dict)
    assert verify_claim(claim, REDUCED).passed
    _plant(monkeypatch, "normtheory.steps_to_converge", too_many)
    assert not verify_claim(claim, REDUCED).passed
    monkeypatch.undo()
    _plant(
        monkeypatch,
        "normtheory.random_pair_steps",
        lambda right: lambda d, *a, **k: right(d + 1, *a, **k),
    )
    assert _red("normtheory.random_pair_steps")


@pytest.mark.parametrize("name", ["clip", "supcon"])
@pytest.mark.parametrize("what", ["value", "gradient", "option"])
def test_a_loss_that_is_off_is_noticed(
    name: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = LOSSES[name]
    monkeypatch.setattr(_every_loss, "LOSSES", {name: loss})
    kind = type(loss)
    method = "option_gradient" if what == "option" else "value_and_gradient"
    right = getattr(kind, method)

    def wrong(self: Any, *arguments: Any, **options: Any) -> Any:
        found = right(self, *arguments, **options)
        if what == "option":
            return found * (1 + 1e-6)
        value, gradient = found
        if what == "value":
            return value * (1 + 1e-6), gradient
        return value, tuple(g * (1 + 1e-6) for g in gradient)

    monkeypatch.setattr(kind, method, wrong)
    assert _red("normtheory.losses.LOSSES")


def test_every_function_is_named_by_a_claim_and_reachable() -> None:
    assert not [claim for claim in NAMES if not claims.get(claim).implemented_by]
    named = {name for claim in NAMES for name in claims.get(claim).implemented_by}
    assert named == set(LIBRARY)
    for name in named:
        assert callable(getattr(*_place(name))) or name.endswith("LOSSES")
    functions = {name for name in nt.__all__ if inspect.isfunction(getattr(nt, name))}
    # What one says is measured, and the other asks the functions of claims.
    wanted = functions - {"diagnose", "predict"}
    assert {f"normtheory.{name}" for name in wanted} <= named | {"normtheory.tangent_projection"}


@pytest.mark.parametrize(
    ("kind", "roles"),
    [
        ("info_nce", {"anchors", "keys"}),
        ("decoupled", {"anchors", "keys"}),
        ("clip", {"both sides"}),
        ("nt_xent", {"views"}),
    ],
)
def test_contrastive_gradients_are_checked_in_every_role(kind: str, roles: set[str]) -> None:
    checks = LIBRARY[f"normtheory.losses.{kind}_gradient"]
    assert {c.options["role"] for c in checks if c.quantity == "gradient"} == roles
    assert {c.options["kind"] for c in checks} == {kind}
    assert "value" in {c.quantity for c in checks}


def test_draws_that_agree_here_and_there_are_still_others() -> None:
    # Of many draws some agree to rounding by chance: that is no seed ignored.
    def draw(rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([np.ones((1, 3)), rng.standard_normal((5, 3))])

    seed = np.zeros((3, 1))
    np.testing.assert_array_equal(_of_seed(draw, seed), draw(np.random.default_rng(0)))
    assert np.isnan(_of_seed(lambda rng: np.ones((4, 3)), seed)).all()
    unseeded = np.random.default_rng(0)
    assert np.isnan(_of_seed(lambda rng: unseeded.random((4, 3)), seed)).all()
