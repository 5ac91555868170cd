"""A loss as an object: what it says of itself, what it refuses, and that nobody else says it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import normtheory as nt
from normtheory.losses import LOSSES, REQUIRED, Cloud, Loss, Option, Rows, Slope, by_rows
from tests.conftest import ROOT

N, D = 7, 3
PAIR = (Cloud("u"), Cloud("v"))


def _quartic(xp: Any, u: Any, v: Any, *, weight: Any) -> Slope:
    """Weight · mean over all pairs of cos⁴."""
    n, m = u.shape[0], v.shape[0]

    def of_block(s: Any, index: Any) -> Rows:
        return Rows(xp.sum(s**4, axis=-1), 4 * s**3)

    found = by_rows(xp, of_block, u, v)
    mean = xp.sum(found.loss) / (n * m)
    pushed = {"u": found.rows, "v": found.columns}
    return Slope(
        weight * mean, {k: weight / (n * m) * g for k, g in pushed.items()}, {"weight": mean}
    )


def quartic(**changes: Any) -> Loss:
    given: dict[str, Any] = {
        "name": "quartic",
        "summary": "Mean of cos⁴.",
        "clouds": (Cloud("u"), Cloud("v", rows="m")),
        "slope": _quartic,
        "source": "a test",
        "options": (Option("weight", 1.0, "a factor", trained=True, above=0.0, most=10.0),),
        "all_pairs": True,
    }
    return Loss(**given | changes)


def clouds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, D)), rng.standard_normal((N + 2, D))


def expected(u: np.ndarray, v: np.ndarray, weight: float) -> tuple[Any, Any]:
    """Value and the derivatives with respect to u, v, weight, by JAX from the definition."""

    def value(u: Any, v: Any, weight: Any) -> Any:
        a, b = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
        return weight * jnp.mean((a @ b.T) ** 4)

    with jax.enable_x64(True):
        found = jax.value_and_grad(value, (0, 1, 2))(jnp.asarray(u), jnp.asarray(v), weight)
        return jax.tree.map(np.asarray, found)


@pytest.mark.parametrize("block", [None, 1, 3, N, 100, "auto"])
@pytest.mark.parametrize(
    "library", ["numpy", "JAX", pytest.param("PyTorch", marks=pytest.mark.torch)]
)
def test_a_users_loss_has_everything(library: str, block: Any) -> None:
    u, v = clouds()
    value, gradients = expected(u, v, 0.3)
    loss = quartic()
    with jax.enable_x64(True):
        if library == "PyTorch":
            torch = pytest.importorskip("torch")
            given = [torch.tensor(x, requires_grad=True) for x in (u, v)]
            weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
            out = loss(*given, weight=weight, block=block)
            out.backward()
            found = out.detach(), [x.grad for x in (*given, weight)]
        elif library == "JAX":
            found = jax.value_and_grad(
                lambda u, v, w: loss(u, v, weight=w, block=block), argnums=(0, 1, 2)
            )(jnp.asarray(u), jnp.asarray(v), 0.3)
        else:
            out, both = loss.value_and_gradient(u, v, weight=0.3, block=block)
            by_weight = loss.option_gradient("weight", u, v, weight=0.3, block=block)
            found = out, (*both, by_weight)
            some = loss.differentiate(["weight", "v"], u, v, weight=0.3, block=block)
            assert [float(x) for x in (some.value, *some.options)] == [float(out), float(by_weight)]
            assert len(some.clouds) == 1
            np.testing.assert_array_equal(some.clouds[0], both[1])
    np.testing.assert_allclose(found[0], value, rtol=1e-14)
    for one, other in zip(found[1], gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-15)


def test_the_kit_accepts_a_users_loss() -> None:
    """By JAX, which differentiates as the loss says; a wrong one is refused."""
    _, v = clouds()
    loss = quartic()

    def of_u(u: Any) -> Any:
        if u.shape != (N, D):  # nothing simpler is compiled
            raise ValueError("seven rows, please")
        return loss(u, v)

    nt.testing.assert_loss_of_directions(of_u, n=N, dimension=D, backend="jax", max_examples=12)
    with pytest.raises(AssertionError, match="the loss depends on the norm"):
        nt.testing.assert_inverse_norm_gradient(
            lambda u: of_u(u) + 1e-3 * (u * u).sum() ** 0.5, n=N, dimension=D, backend="jax"
        )


def test_a_derivative_that_there_is_not_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="w: quartic has derivatives by u, v, weight"):
        quartic().differentiate(["u", "w"], *clouds())


@pytest.mark.parametrize("missing", ["u", "v", "weight"])
def test_a_derivative_that_is_left_out_is_an_error(missing: str) -> None:
    def slope(*arguments: Any, **options: Any) -> Slope:
        found = _quartic(*arguments, **options)
        clouds, options = dict(found.clouds), dict(found.options)
        (clouds if missing in clouds else options).pop(missing)
        return Slope(found.value, clouds, options)

    loss = quartic(slope=slope)
    u, v = clouds()
    message = f"quartic: .*{missing}"
    assert loss(u, v) > 0  # the value needs none
    if missing == "weight":
        assert len(loss.gradient(u, v)) == 2
        with pytest.raises(TypeError, match=message):
            loss.option_gradient("weight", u, v)
    else:
        with pytest.raises(TypeError, match=message):
            loss.gradient(u, v)
    with pytest.raises(TypeError, match=message):
        jax.grad(lambda w: loss(jnp.asarray(u), jnp.asarray(v), weight=w))(0.5)


def test_what_a_loss_must_be() -> None:
    with pytest.raises(ValueError, match=r"quartic: expected different names .*\['u', 'u', 'we"):
        quartic(clouds=(Cloud("u"), Cloud("u")))
    for name in ("block", "group"):
        with pytest.raises(ValueError, match="quartic: expected different names"):
            quartic(options=(Option(name, 1.0, "taken"),))
    with pytest.raises(ValueError, match="quartic: expected at least one trained cloud"):
        quartic(clouds=(Cloud("u", trained=False), Cloud("v", trained=False)))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda f, u, v: f(u), TypeError, "quartic: missing a required argument: 'v'"),
        (lambda f, u, v: f(u, v, power=2), TypeError, "quartic: got an unexpected keyword .*power"),
        (lambda f, u, v: f(u, v, weight=0.0), ValueError, "weight: expected .* > 0 and <= 10, got"),
        (lambda f, u, v: f(u, v, weight=11), ValueError, "weight: expected .* > 0 and <= 10, got"),
        (lambda f, u, v: f(u, v, weight=True), TypeError, "weight: expected a number, got bool"),
        (lambda f, u, v: f(u, v, weight="1"), TypeError, "weight: expected a number, got str"),
        (lambda f, u, v: f(u, v, weight=np.ones(3)), ValueError, r"weight: .* got \(3,\)"),
        (lambda f, u, v: f(u, v[:, :2]), ValueError, "the same d"),
        (lambda f, u, v: f(u, v.astype(np.float32)), TypeError, "u is float64 and v is float32"),
        (lambda f, u, v: f(u, 0 * v), ValueError, "v row 0 is zero"),
        (lambda f, u, v: f(u, v, block=0), ValueError, "block: expected an integer >= 1, got 0"),
        (lambda f, u, v: f(u, v, block="all"), ValueError, "block: expected None, 'auto' or an"),
        (lambda f, u, v: f(u, v, group=1), TypeError, "group: is for PyTorch's processes"),
        (lambda f, u, v: f.option_gradient("tau", u, v), ValueError, "tau: .* it has weight"),
    ],
)
def test_wrong_arguments_are_named(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(quartic(), *clouds())


def test_an_option_without_derivative_says_so() -> None:
    u, v = clouds()
    examples, options = LOSSES["dino"].example(np.random.default_rng(0), 5, 3)
    with pytest.raises(ValueError, match="target_temperature: dino holds it constant"):
        LOSSES["dino"].option_gradient("target_temperature", *examples, **options)
    held = quartic(options=(Option("weight", 1.0, "a factor"),))
    with pytest.raises(ValueError, match="weight: quartic holds it constant"):
        held.option_gradient("weight", u, v)


@pytest.mark.parametrize("flag", ["False", 0, 1, None, np.array([True])])
def test_a_word_is_no_truth_value(flag: Any) -> None:
    z = np.eye(3)
    with pytest.raises(TypeError, match="symmetric: expected True or False"):
        nt.losses.info_nce(z, z, symmetric=flag)


# What 32 bits can't hold: equal only to itself, though its low bits are those of 0.
BIG = 2**32


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray, list])
def test_large_labels_are_not_cut(array: Any) -> None:
    z = np.random.default_rng(0).standard_normal((4, 3))
    small = nt.losses.supcon(z, np.array([0, 7, 0, 2]))
    z_jax = jnp.asarray(z, jnp.float32)
    labels = [0, BIG, 0, 2]
    if array is jnp.asarray:  # JAX itself takes no such number without 64 bits
        with jax.enable_x64(True):
            found = nt.losses.supcon(jnp.asarray(z), jnp.asarray(labels))
        np.testing.assert_allclose(found, small, rtol=1e-14)
        return
    given = array(labels)
    np.testing.assert_allclose(nt.losses.supcon(z, given), small, rtol=1e-14)
    np.testing.assert_allclose(nt.losses.supcon(z_jax, given), small, rtol=1e-5)
    for cloud in (z, z_jax):
        with pytest.raises(ValueError, match="at least one class with two points"):
            nt.losses.supcon(cloud, array([0, BIG, 1, 2]))
        with pytest.raises(ValueError, match=f"labels: .* got {BIG} at index 1"):
            nt.losses.arcface(cloud, cloud[:3], array([0, BIG, 1, 2]))


def test_small_integers_are_labels_too() -> None:
    """300 classes do not fit 8 bits, but a label below 256 is what it says."""
    rng = np.random.default_rng(0)
    z, weights = rng.standard_normal((5, 4)), rng.standard_normal((300, 4))
    labels = np.array([0, 3, 44, 200, 255])
    wanted = nt.losses.normface(z, weights, labels)
    for dtype in (np.uint8, np.int16, np.uint64):
        assert nt.losses.normface(z, weights, labels.astype(dtype)) == wanted


def test_half_precision_is_computed_in_float32() -> None:
    rng = np.random.default_rng(0)
    u, v = (rng.standard_normal((6, 4)).astype(np.float16) for _ in range(2))
    value, gradients = nt.losses.info_nce.value_and_gradient(u, v, temperature=0.05)
    wide, wanted = nt.losses.info_nce.value_and_gradient(
        *(x.astype(np.float64) for x in (u, v)), temperature=0.05
    )
    np.testing.assert_allclose(value, wide, rtol=1e-5)
    for one, other in zip(gradients, wanted, strict=True):
        assert one.dtype == np.float16
        np.testing.assert_allclose(one, other, rtol=2**-10, atol=2**-24)


@pytest.mark.parametrize("name", LOSSES)
def test_every_row_of_an_example_has_its_own_norm_over_a_factor_of_e_squared(name: str) -> None:
    # In many dimensions a Gaussian vector is as long as the root of their number, to 1/√(2d).
    d = 10_000
    found, _ = LOSSES[name].example(np.random.default_rng(1), 40, d)
    for z in found:
        logs = np.log(np.linalg.norm(z, axis=1) / np.sqrt(d))
        assert len(np.unique(logs)) == len(z)
        assert np.abs(logs).max() < 1 + 5 / np.sqrt(2 * d)
        if len(z) >= 40:  # uniform: the ends are reached, and the quarters are about as full
            assert logs.min() < -0.8
            assert logs.max() > 0.8
            counts, _ = np.histogram(logs, 4, (-1.05, 1.05))
            assert counts.min() >= len(z) / 10


def test_every_loss_is_a_name_of_the_module() -> None:
    for name, loss in LOSSES.items():
        assert getattr(nt.losses, name) is loss
        assert {name, f"{name}_gradient"} <= set(nt.losses.__all__)
        clouds, options = loss.example(np.random.default_rng(0), 6, 3)
        one = getattr(nt.losses, f"{name}_gradient")(*clouds, **options)
        for a, b in zip(one, loss.gradient(*clouds, **options), strict=True):
            np.testing.assert_array_equal(a, b)
    assert list(LOSSES) == sorted(LOSSES)
    with pytest.raises(AttributeError, match="has no attribute 'infonce'"):
        nt.losses.infonce  # noqa: B018


def test_a_loss_describes_itself() -> None:
    for loss in LOSSES.values():
        text = inspect.getdoc(loss) or ""
        assert text.startswith(loss.summary)
        assert loss.source in text
        for part in (*loss.clouds, *loss.options):
            assert re.search(rf"^ +{part.name}: ", text, re.MULTILINE), (loss.name, part.name)
    assert str(inspect.signature(nt.losses.clip)) == (
        "(z_1, z_2, *, temperature=0.07, block=None, group=None)"
    )
    assert str(inspect.signature(nt.losses.supcon)).startswith("(z, labels, *, temperature=0.1,")


def test_nobody_else_lists_losses_or_options() -> None:
    """No tuple, list, set or dictionary outside the definitions holds several of their names."""
    options = {option.name for loss in LOSSES.values() for option in loss.options}
    found = []
    for path in sorted((ROOT / "normtheory").rglob("*.py")):
        if "definitions" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                items = node.elts
            elif isinstance(node, ast.Dict):
                items = [key for key in node.keys if key is not None]
            else:
                continue
            words = [x.value for x in items if isinstance(x, ast.Constant)]
            for known in (set(LOSSES), options):
                named = known.intersection(word for word in words if isinstance(word, str))
                if len(named) > 1:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {sorted(named)}")
    # A claim, its measurement, its closed form and a prediction name the losses they are about, a
    # force is named as its loss, and modules and what a monitor measures as the field calls them.
    allowed = (
        "normtheory/__init__.py",
        "normtheory/claims/",
        "normtheory/symmetric.py",
        "normtheory/verify/",
        "normtheory/particles/forces.py",
        "normtheory/prediction/_setting.py",
        "normtheory/monitoring/_quantities.py",
    )
    assert not [place for place in found if not place.startswith(allowed)]


def test_a_changed_loss_is_a_new_one() -> None:
    other = dataclasses.replace(quartic(), name="other")
    assert other.name == "other"
    assert "other(" in repr(other)
    assert quartic() != quartic()  # what is compiled for one is not for another
    assert Option("a", REQUIRED, "b").default is REQUIRED
