"""Every loss of PyTorch tensors: the plain definition's numbers, in every way PyTorch is used."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

import normtheory as nt
from normtheory.losses import LOSSES
from tests.conftest import ROOT
from tests.helpers import tolerance
from tests.normtheory.losses import cases
from tests.normtheory.losses.cases import CASES, Case, draw, error
from tests.normtheory.losses.plain import Expected, expected

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

BY_LABEL = {case.label: case for case in CASES}
N, D = 7, 3


def rounded(value: Any, dtype: Any) -> Any:
    """Numbers that the dtype holds; labels and flags as they are."""
    if isinstance(value, float):
        return float(np.asarray(value, dtype))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype)
    return value


@cache
def problem(label: str, dtype: str) -> tuple[tuple[np.ndarray, ...], dict[str, Any], Expected]:
    """Clouds and options that the dtype holds, and what should come out."""
    case = BY_LABEL[label]
    clouds, options = draw(case, 3, N, D)
    clouds = tuple(z.astype(dtype) for z in clouds)
    options = {name: rounded(x, dtype) for name, x in options.items()}
    return clouds, options, expected(case.loss, clouds, options)


def tensors(clouds: Any, dtype: Any = None) -> list[Any]:
    """Leaves that want gradients."""
    return [torch.tensor(z, dtype=dtype).requires_grad_() for z in clouds]


def option_size(case: Case) -> float:
    """Natural size of the derivative with respect to an option, the unit of its error.

    It is a sum of Σ_b W_ab (cosine b) over the rows of a mean, divided by the option once more if
    that is a temperature, and what a row pulls in all is the case's ``pull``.
    """
    return case.pull * case.steepness * (N if case.name == "siglip" else 1)


def check(case: Case, found: Any, wanted: Expected, clouds: Any, options: Any, dtype: Any) -> None:
    """Value, gradients and derivatives of options within 64 eps of what rounding can do.

    In units of the sums that are rounded (:meth:`Case.sizes`): both definitions are backward stable
    and no better, since their terms cancel.
    """
    value, gradients, derivatives = found
    limit = tolerance("gradient", dtype)
    np.testing.assert_allclose(value, wanted.value, rtol=limit, atol=limit * case.steepness)
    sizes = iter(case.sizes(tuple(np.asarray(z, np.float64) for z in clouds), options))
    for index, (gradient, exact) in enumerate(zip(gradients, wanted.clouds, strict=True)):
        if index in case.loss.trained:
            worst = error(gradient, exact, clouds[index]) / next(sizes)
            assert worst.max() <= limit, case.loss.clouds[index].name
        else:
            assert gradient is None or not gradient.any()
    for name, derivative in derivatives.items():
        off = abs(float(derivative) - wanted.options[name])
        assert off <= limit * option_size(case), name


WAYS = [
    pytest.param(case, block, id=f"{case.label}-{block}")
    for case in CASES
    for block in (None, *((1, 3, 5, "auto") if case.loss.all_pairs else ()))
]
"""Dense, and in blocks of which 3 and 5 don't divide the 7 rows."""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("case", "block"), WAYS)
def test_value_and_every_derivative(case, block, dtype):
    clouds, options, wanted = problem(case.label, dtype)
    z = tensors(clouds)
    numbers = {
        o.name: torch.tensor(options.get(o.name, o.default), dtype=z[0].dtype).requires_grad_()
        for o in case.loss.options
        if o.trained
    }
    extra = {} if block is None else {"block": block}
    value = case.loss(*z, **{**options, **numbers}, **extra)
    assert value.dtype == z[0].dtype
    assert value.shape == ()
    value.backward()
    derivatives = {name: x.grad for name, x in numbers.items()}
    found = value.item(), [x.grad for x in z], derivatives
    check(case, found, wanted, clouds, options, dtype)

    # The same without a graph.
    again, gradients = case.loss.value_and_gradient(*z, **options, **extra)
    assert not again.requires_grad
    np.testing.assert_allclose(again, value.item(), rtol=tolerance("similarity", dtype))
    for index, gradient in zip(case.loss.trained, gradients, strict=True):
        assert torch.equal(gradient, z[index].grad)
    for name, derivative in derivatives.items():
        given = case.loss.option_gradient(name, *z, **options, **extra)
        assert abs(given - derivative) <= tolerance("gradient", dtype) * option_size(case)


def test_a_gradient_is_multiplied_by_what_comes_back():
    clouds, options, wanted = problem("clip()", "float64")
    z = tensors(clouds)
    (3.0 * nt.losses.clip(*z, **options) - 1.0).backward()
    for one, exact in zip(z, wanted.clouds, strict=True):
        np.testing.assert_allclose(one.grad, 3 * exact, rtol=1e-9, atol=1e-12 * abs(exact).max())


ALONE = [
    pytest.param(case, block, name, id=f"{case.label}-{block}-{name}")
    for case in CASES
    for block in (None, *((3,) if case.loss.all_pairs else ()))
    for name in [x.name for x in (*case.loss.clouds, *case.loss.options) if x.trained]
]


@pytest.mark.parametrize(("case", "block", "name"), ALONE)
def test_a_derivative_that_is_asked_for_alone(case, block, name):
    """What the others need is left out then, and nothing that this one needs."""
    clouds, options, wanted = problem(case.label, "float64")
    given = {c.name: torch.tensor(z) for c, z in zip(case.loss.clouds, clouds, strict=True)}
    given |= {
        o.name: torch.tensor(options.get(o.name, o.default), dtype=torch.float64)
        for o in case.loss.options
        if o.trained
    }
    given[name].requires_grad_()
    rest = {key: x for key, x in options.items() if key not in given}
    extra = {} if block is None else {"block": block}
    value = case.loss(**given, **rest, **extra)
    value.backward()
    assert [key for key, x in given.items() if x.grad is not None] == [name]
    found = given[name].grad
    limit = tolerance("gradient")
    np.testing.assert_allclose(value.item(), wanted.value, rtol=limit, atol=limit * case.steepness)
    if name in wanted.options:
        assert abs(float(found) - wanted.options[name]) <= limit * option_size(case)
        return
    index = [c.name for c in case.loss.clouds].index(name)
    size = case.sizes(clouds, options)[case.loss.trained.index(index)]
    assert (error(found, wanted.clouds[index], clouds[index]) / size).max() <= limit


def test_one_of_two_clouds_and_no_cloud():
    clouds, options, wanted = problem("info_nce()", "float64")
    for free in (0, 1):
        z = [torch.tensor(x) for x in clouds]
        z[free].requires_grad_()
        nt.losses.info_nce(*z, **options, block=2).backward()
        np.testing.assert_allclose(z[free].grad, wanted.clouds[free], rtol=1e-10, atol=1e-14)
        assert z[1 - free].grad is None
    temperature = torch.tensor(options["temperature"], dtype=torch.float64, requires_grad=True)
    nt.losses.info_nce(*map(torch.tensor, clouds), temperature=temperature).backward()
    np.testing.assert_allclose(temperature.grad, wanted.options["temperature"], rtol=1e-12)
    with torch.no_grad():
        assert not nt.losses.info_nce(*tensors(clouds), **options).requires_grad


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_learned_log_scale(shape):
    clouds, _, _ = problem("clip()", "float64")
    for log_scale, inside in ((1.7, 1.0), (5.0, 0.0)):  # below and above the clamp
        wanted = expected(
            LOSSES["clip"], clouds, {"temperature": 1 / min(math.exp(log_scale), 100)}
        )
        leaf = torch.full(shape, log_scale, dtype=torch.float64, requires_grad=True)
        temperature = 1 / leaf.exp().clamp(max=100.0)
        value = nt.losses.clip(*map(torch.tensor, clouds), temperature=temperature)
        value.backward()
        assert leaf.grad is not None
        assert leaf.grad.shape == shape
        # dτ = -τ d(log scale)
        chained = -wanted.options["temperature"] * float(temperature.detach()) * inside
        assert value.item() == pytest.approx(wanted.value, rel=1e-12)
        assert leaf.grad.item() == pytest.approx(chained, rel=1e-9)


def test_a_bias_of_one_entry_in_another_dtype():
    clouds, options, wanted = problem("siglip()", "float64")
    bias = torch.full((1,), options["bias"], dtype=torch.float32, requires_grad=True)
    z = tensors(clouds)
    nt.losses.siglip(*z, temperature=options["temperature"], bias=bias, block=4).backward()
    assert bias.grad is not None
    assert (bias.grad.dtype, bias.grad.shape) == (torch.float32, (1,))
    assert bias.grad.item() == pytest.approx(wanted.options["bias"], rel=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("case", **cases.one_each)
def test_half_precision_is_computed_in_single(case, dtype):
    kind = getattr(torch, dtype)
    drawn, options = case.loss.example(np.random.default_rng(4), N, D)
    options = {name: rounded(x, "float32") for name, x in {**options, **case.options}.items()}
    z = [x.requires_grad_() for x in (torch.tensor(c).to(kind) for c in drawn)]
    clouds = tuple(x.detach().double().numpy() for x in z)  # exactly the halves
    wanted = expected(case.loss, clouds, options)
    value = case.loss(*z, **options, **({"block": 3} if case.loss.all_pairs else {}))
    assert value.dtype == torch.float32
    single = tolerance("gradient", np.float32)
    np.testing.assert_allclose(
        value.item(), wanted.value, rtol=single, atol=single * case.steepness
    )
    value.backward()
    half = torch.finfo(kind).eps / 2  # of one rounding
    for index, size in zip(case.loss.trained, case.sizes(clouds, options), strict=True):
        gradient, exact = z[index].grad, wanted.clouds[index]
        assert gradient is not None
        assert gradient.dtype == kind
        norms = np.linalg.norm(clouds[index], axis=-1)
        allowed = (
            half * abs(exact) + (single * size / norms)[:, None] + torch.finfo(kind).tiny * half
        )
        assert (abs(gradient.double().numpy() - exact) <= 1.01 * allowed).all()


@pytest.mark.parametrize("case", **cases.one_each)
def test_autocast_changes_nothing(case):
    clouds, options, _ = problem(case.label, "float32")
    found = []
    for enabled in (False, True):
        z = tensors(clouds)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            value = case.loss(*z, **options)
            value.backward()
        found.append([value.detach(), *(x.grad for x in z if x.grad is not None)])
    for one, other in zip(*found, strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)


def test_what_autocast_hands_over():
    linear = torch.nn.Linear(5, D)
    x = torch.randn(N, 5, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = linear(x)
        assert z.dtype == torch.bfloat16
        value = nt.losses.uniformity(z, block=2)
    assert value.dtype == torch.float32
    value.backward()
    assert linear.weight.grad is not None
    assert linear.weight.grad.dtype == torch.float32
    exact = expected(LOSSES["uniformity"], (z.detach().double().numpy(),), {"sharpness": 2.0})
    off = abs(exact.clouds[0].T @ x.double().numpy() - linear.weight.grad.double().numpy()).max()
    assert off < 4 * torch.finfo(torch.bfloat16).eps * abs(exact.clouds[0]).max()


@pytest.mark.parametrize("name", ["info_nce", "clip", "nt_xent", "decoupled", "supcon", "moco"])
@pytest.mark.parametrize("block", [None, 3])
def test_a_temperature_of_two_thousandths(name, block):
    loss = LOSSES[name]
    clouds, options = loss.example(np.random.default_rng(0), 8, 4)
    options["temperature"] = 0.002
    for dtype in (torch.float64, torch.float32):
        z = tensors(clouds, dtype)
        value = loss(*z, **options, block=block)
        value.backward()
        # By a softmax whose largest term is taken out, in float64.
        wide = [x.detach().double().numpy() for x in z]
        wanted, gradients = loss.value_and_gradient(*wide, **options)
        assert torch.isfinite(value)
        limit = 500 * tolerance("gradient", np.float64 if dtype == torch.float64 else np.float32)
        np.testing.assert_allclose(value.item(), wanted, rtol=limit)
        for index, exact in zip(loss.trained, gradients, strict=True):
            off = error(z[index].grad, exact, wide[index]).max()
            assert off <= limit * 500, name


def test_a_second_derivative_is_refused_clearly():
    clouds, options, _ = problem("info_nce()", "float64")
    twice = r"differentiated twice in PyTorch.*use JAX arrays"
    z = tensors(clouds)
    gradient = torch.autograd.grad(nt.losses.info_nce(*z, **options), z[0], create_graph=True)[0]
    with pytest.raises(RuntimeError, match=twice):
        gradient.square().sum().backward()

    def loss(z: Any) -> Any:
        return nt.losses.info_nce(z, torch.tensor(clouds[1]), **options)

    def along(z: Any) -> Any:
        return torch.func.grad(loss)(z).sum()

    with pytest.raises(RuntimeError, match=twice):
        torch.func.grad(along)(torch.tensor(clouds[0]))
    # A first derivative with create_graph=True, as gradient penalties of other terms need it.
    other = torch.tensor(clouds[0], requires_grad=True)
    (first,) = torch.autograd.grad(loss(other) + (other**3).sum(), other, create_graph=True)
    exact = problem("info_nce()", "float64")[2].clouds[0] + 3 * clouds[0] ** 2
    np.testing.assert_allclose(first.detach(), exact, rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("case", **cases.one_each)
def test_functions_of_functions(case):
    clouds, options, wanted = problem(case.label, "float64")
    index = case.loss.trained[0]
    fixed = [torch.tensor(z) for z in clouds]

    def loss(z: Any) -> Any:
        return case.loss(*fixed[:index], z, *fixed[index + 1 :], **options)

    limit = tolerance("gradient")
    size = case.sizes(clouds, options)[0]
    scaled = torch.stack([fixed[index], 2 * fixed[index]])
    values = torch.func.vmap(loss)(scaled)
    np.testing.assert_allclose(values, wanted.value, rtol=limit, atol=limit * case.steepness)
    for found in (
        torch.func.grad(loss)(fixed[index]),
        2 * torch.func.vmap(torch.func.grad(loss))(scaled)[1],
    ):
        assert (error(found, wanted.clouds[index], clouds[index]) / size).max() <= limit


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")  # PyTorch's own
def test_forward_mode():
    clouds, options, wanted = problem("clip()", "float64")
    direction = np.random.default_rng(1).standard_normal(clouds[0].shape) * clouds[0]

    def loss(z: Any) -> Any:
        return nt.losses.clip(z, torch.tensor(clouds[1]), **options)

    _, change = torch.func.jvp(loss, (torch.tensor(clouds[0]),), (torch.tensor(direction),))
    assert change.item() == pytest.approx(np.sum(direction * wanted.clouds[0]), rel=1e-10)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["info_nce", "siglip", "uniformity"])
def test_compiled(name):
    """With graph breaks: what reads the arguments is Python."""
    clouds, options, wanted = problem(f"{name}()", "float64")
    loss = LOSSES[name]
    z = tensors(clouds)

    @torch.compile(backend="aot_eager")
    def step(*clouds: Any) -> Any:
        return 2 * loss(*(1.0 * x for x in clouds), **options)

    step(*z).backward()
    for one, exact in zip(z, wanted.clouds, strict=True):
        np.testing.assert_allclose(one.grad, 2 * exact, rtol=1e-9, atol=1e-12 * abs(exact).max())


@pytest.mark.parametrize("case", **cases.one_each)
def test_other_defaults_of_the_user(case):
    clouds, options, _ = problem(case.label, "float32")
    plain = case.loss.value_and_gradient(*map(torch.tensor, clouds), **options)
    before = torch.get_default_dtype()
    z = [torch.tensor(x) for x in clouds]
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")  # what is made there has no numbers
        found = case.loss.value_and_gradient(*z, **options)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(before)
    for one, other in zip((plain[0], *plain[1]), (found[0], *found[1]), strict=True):
        assert one.dtype == other.dtype == torch.float32
        assert torch.equal(one, other)


def test_rows_and_options_are_checked():
    z = torch.ones(3, 2)
    z[1] = 0
    with pytest.raises(ValueError, match=r"z_2 row 1 is zero"):
        nt.losses.clip(torch.ones(3, 2), z)
    with pytest.raises(ValueError, match="temperature"):
        nt.losses.clip(torch.ones(3, 2), torch.ones(3, 2), temperature=torch.tensor(0.0))
    with pytest.raises(TypeError, match="float32 and z_2 is float64"):
        nt.losses.clip(torch.ones(3, 2), torch.ones(3, 2, dtype=torch.float64))


@pytest.mark.parametrize("case", **cases.one_each)
def test_the_kit_accepts_it(case):
    clouds, options, _ = problem(case.label, "float64")
    for index in case.loss.trained:

        def loss(z: Any, index: int = index) -> Any:
            assert isinstance(z, torch.Tensor)
            fixed = [torch.tensor(x) for x in clouds]
            return case.loss(*fixed[:index], z, *fixed[index + 1 :], **options)

        nt.testing.assert_inverse_norm_gradient(
            loss, n=len(clouds[index]), dimension=D, backend="torch", max_examples=5
        )


def test_importing_the_losses_does_not_import_pytorch():
    program = (
        "import sys, numpy as np, normtheory as nt\n"
        "nt.losses.clip.value_and_gradient(np.eye(3), np.eye(3))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
