"""What all modules share: any loss, the kit, compilation, missing processes, a missing PyTorch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

import normtheory as nt  # noqa: E402
from normtheory import torch as modules  # noqa: E402
from normtheory.losses import LOSSES, Cloud, Loss, Slope  # noqa: E402
from tests.conftest import ROOT  # noqa: E402
from tests.normtheory.torch.data import cloud, number  # noqa: E402

Z, Y = cloud(5, seed=1), cloud(5, seed=2)


@pytest.mark.parametrize("name", LOSSES)
def test_any_loss_is_a_module(name):
    loss = LOSSES[name]
    clouds, options = loss.example(np.random.default_rng(0), 6, 3)
    rows = {o.name for o in loss.options if o.per_row}
    module = modules.DirectionLoss(
        loss, **{key: x for key, x in options.items() if key not in rows}
    )
    found = module(*map(torch.tensor, clouds), **{key: options[key] for key in rows})
    assert found.item() == pytest.approx(float(loss(*clouds, **options)), rel=1e-12)
    assert repr(module).startswith(f"DirectionLoss({name}")


def test_a_loss_of_ones_own():
    def slope(xp: Any, u: Any) -> Slope:
        return Slope(xp.sum(u[:, 0]), {"z": xp.zeros_like(u) + xp.asarray([1.0, 0, 0, 0])})

    mine = Loss("mine", "Sum of the first components.", (Cloud("z"),), slope, "nobody")
    z = Z.clone().requires_grad_()
    modules.DirectionLoss(mine)(z).backward()
    norm = Z.norm(dim=1, keepdim=True)
    first = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(z.grad, (first - Z / norm * (Z / norm)[:, :1]) / norm)


def test_options_of_a_module_and_of_a_call():
    module = modules.DirectionLoss(nt.losses.info_nce, temperature=0.3, symmetric=True)
    assert module(Z, Y) == nt.losses.info_nce(Z, Y, temperature=0.3, symmetric=True)
    assert module(Z, Y, temperature=0.7) == nt.losses.info_nce(
        Z, Y, temperature=0.7, symmetric=True
    )
    with pytest.raises(ValueError, match="sharpness: info_nce has no such option"):
        modules.DirectionLoss(nt.losses.info_nce, sharpness=1.0)
    with pytest.raises(ValueError, match="temperature"):
        modules.NTXentLoss(temperature=0.0)


def test_a_parameter_is_the_modules_own():
    module = modules.DirectionLoss(nt.losses.clip, temperature=torch.nn.Parameter(number(0.3)))
    assert set(module.state_dict()) == {"temperature"}
    assert module.float().temperature.dtype == torch.float32


def test_without_other_processes_there_are_none():
    assert modules.NTXentLoss(gather_distributed=True)(Z, Y) == modules.NTXentLoss()(Z, Y)
    assert modules.shared(0.1) == 0.1


def test_the_kit_accepts_modules():
    for loss in (
        modules.NTXentLoss(block=2),
        modules.DCLLoss(),
        modules.NegativeCosineSimilarity(),
    ):
        nt.testing.assert_loss_of_directions(
            lambda z, loss=loss: loss(z, Y), n=5, dimension=4, backend="torch", max_examples=5
        )
    head = modules.ArcFaceLoss(3, 4, scale=4.0).double()
    labels = torch.tensor([0, 1, 2, 0, 1])
    nt.testing.assert_inverse_norm_gradient(
        lambda z: head(z, labels), n=5, dimension=4, backend="torch", max_examples=5
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of PyTorch
def test_compiled_around_a_graph_break():
    linear = torch.nn.Linear(4, 3, dtype=torch.float64)
    loss = modules.ClipLoss(block=2)
    log_scale = torch.nn.Parameter(number(1.0))

    def step(x: Any, y: Any) -> Any:
        return 2 * loss(linear(x), torch.tanh(linear(y)), log_scale.exp())

    def gradients(function: Any) -> list[Any]:
        value = function(Z, Y)
        return [value, *torch.autograd.grad(value, [*linear.parameters(), log_scale])]

    for one, other in zip(gradients(torch.compile(step)), gradients(step), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)
    zero = Z.clone()
    zero[3] = 0
    with pytest.raises(ValueError, match="z_1 row 3 is zero"):  # checked, compiled or not
        torch.compile(loss)(zero, Y, 1.0)


def test_every_public_name_is_there():
    for name in modules.__all__:
        assert getattr(modules, name).__doc__


def test_without_pytorch_the_extra_is_named():
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import normtheory\n"
        "try:\n"
        "    import normtheory.torch\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "normtheory.torch needs PyTorch: pip install normtheory[torch]\n"


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda word: modules.DirectionLoss(LOSSES["clip"], average=word), "average"),
        (
            lambda word: modules.DirectionLoss(LOSSES["clip"], gather_distributed=word),
            "gather_distributed",
        ),
        (lambda word: modules.DirectionLoss(LOSSES["info_nce"], symmetric=word), "symmetric"),
        (lambda word: modules.ClipLoss(local_loss=word), "local_loss"),
        (lambda word: modules.ClipLoss(gather_with_grad=word), "gather_with_grad"),
        (lambda word: modules.SigLipLoss(cache_labels=word), "cache_labels"),
        (
            lambda word: modules.SwaVLoss(sinkhorn_gather_distributed=word),
            "sinkhorn_gather_distributed",
        ),
        (lambda word: modules.ClipLoss()(Z, Y, 1.0, output_dict=word), "output_dict"),
    ],
)
def test_a_word_is_no_truth_value(made, name):
    with pytest.raises(TypeError, match=f"^{name}: expected True or False, got 'false'$"):
        made("false")
