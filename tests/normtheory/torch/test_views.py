"""NT-Xent, the decoupled loss and negative cosines are what their names promise."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from normtheory.torch import DCLLoss, NegativeCosineSimilarity, NTXentLoss  # noqa: E402
from tests.normtheory.torch import plain  # noqa: E402
from tests.normtheory.torch.data import cloud, number  # noqa: E402

Z, Y = cloud(5, seed=1), cloud(5, seed=2)


@pytest.mark.parametrize("block", [None, 3, "auto"])
@pytest.mark.parametrize(("make", "decoupled"), [(NTXentLoss, False), (DCLLoss, True)])
def test_both_views(make, decoupled, block):
    def other(z, y):
        return plain.views(z, y, number(0.3), decoupled)

    plain.assert_same(make(0.3, block=block), other, Z, Y)
    assert make(temperature=0.3)(Z, Y).item() == pytest.approx(other(Z, Y).item(), rel=1e-12)


@pytest.mark.parametrize(("make", "default"), [(NTXentLoss, 0.5), (DCLLoss, 0.1)])
def test_the_default_temperature_is_that_of_lightly(make, default):
    wanted = plain.views(Z, Y, number(default), decoupled=make is DCLLoss)
    assert make()(Z, Y).item() == pytest.approx(wanted.item(), rel=1e-12)


@pytest.mark.parametrize("make", [NTXentLoss, DCLLoss])
def test_the_temperature_may_be_trained(make):
    loss = make(torch.nn.Parameter(number(0.4)))
    assert [name for name, _ in loss.named_parameters()] == ["temperature"]
    loss(Z, Y).backward()
    (_, wanted) = plain.derivatives(lambda t: plain.views(Z, Y, t, make is DCLLoss), number(0.4))
    assert loss.temperature.grad.item() == pytest.approx(wanted.item(), rel=1e-10)


def test_negative_cosines():
    def other(z, y):
        return -torch.nn.functional.cosine_similarity(z, y).mean()

    plain.assert_same(NegativeCosineSimilarity(), other, Z, Y)
    with pytest.raises(ValueError, match="block: attraction is not of all pairs"):
        NegativeCosineSimilarity(block=2)


def test_a_memory_bank_is_another_loss():
    assert NTXentLoss(memory_bank_size=0)(Z, Y) == NTXentLoss()(Z, Y)
    with pytest.raises(ValueError, match="MoCoLoss"):
        NTXentLoss(memory_bank_size=(4096, 128))
