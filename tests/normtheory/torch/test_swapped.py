"""SwAV and MoCo: codes, prototypes, queues."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from normtheory.torch import MoCoLoss, SwaVLoss, sinkhorn  # noqa: E402
from tests.normtheory.torch import plain  # noqa: E402
from tests.normtheory.torch.data import cloud  # noqa: E402

CROPS = [cloud(6, seed=k) for k in range(3)]
PROTOTYPES = cloud(5, seed=7)


@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("large", [2, 1])
def test_crops_and_prototypes(large, block):
    loss = SwaVLoss(0.3, block=block)

    def found(*leaves):
        *crops, prototypes = leaves
        return loss(crops[:large], crops[large:], prototypes)

    def wanted(*leaves):
        *crops, prototypes = leaves
        return plain.swapped(crops, large, prototypes, 0.3)

    plain.assert_same(found, wanted, *CROPS, PROTOTYPES)


def test_codes():
    similarities = torch.rand((8, 4), dtype=torch.float64)
    q = torch.exp(similarities / 0.05)
    for _ in range(2):
        q = q / q.sum(0, keepdim=True)
        q = q / q.sum(1, keepdim=True)
    torch.testing.assert_close(sinkhorn(similarities, iterations=2), q)
    balanced = sinkhorn(similarities, iterations=500, epsilon=0.2)
    torch.testing.assert_close(balanced.sum(1), torch.ones(8, dtype=torch.float64))
    torch.testing.assert_close(balanced.sum(0), torch.full((4,), 2.0, dtype=torch.float64))
    # exp(1/0.0005) overflows.
    sharp = sinkhorn(similarities.float(), epsilon=0.0005)
    assert sharp.dtype == torch.float32
    torch.testing.assert_close(sharp.sum(1), torch.ones(8))


def test_a_queue_takes_part_in_codes():
    older = cloud(9, seed=5)
    loss = SwaVLoss(0.3)
    both = loss.codes(torch.cat([CROPS[0], older]), PROTOTYPES)[:6]
    torch.testing.assert_close(loss.codes(CROPS[0], PROTOTYPES, older), both)
    alone = loss(CROPS[:1], CROPS[1:2], PROTOTYPES)
    queued = loss(CROPS[:1], CROPS[1:2], PROTOTYPES, [older])
    log_p = torch.log_softmax(plain.unit(CROPS[1]) @ plain.unit(PROTOTYPES).T / 0.3, dim=1)
    assert queued.item() == pytest.approx(-(both * log_p).sum(1).mean().item(), rel=1e-10)
    assert abs(queued - alone) > 1e-4


def test_codes_under_autocast_are_those_of_single_precision():
    loss = SwaVLoss()
    crop, prototypes = CROPS[0].float(), PROTOTYPES.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss.codes(crop, prototypes)
    assert torch.equal(found, loss.codes(crop, prototypes))


def test_what_is_refused():
    for crops in (([], CROPS), (CROPS[:1], [])):
        with pytest.raises(ValueError, match="expected two crops or more"):
            SwaVLoss()(*crops, PROTOTYPES)
    with pytest.raises(ValueError, match="sinkhorn_iterations"):
        SwaVLoss(sinkhorn_iterations=0)
    with pytest.raises(ValueError, match="epsilon"):
        sinkhorn(torch.ones(2, 2), epsilon=0.0)


@pytest.mark.parametrize("block", [None, 4])
def test_keys_and_queue(block):
    queue = cloud(9, seed=5)

    def wanted(queries, keys, queue):
        q, k, m = map(plain.unit, (queries, keys.detach(), queue.detach()))
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ m.T], dim=1) / 0.3
        return torch.nn.functional.cross_entropy(logits, torch.zeros(6, dtype=torch.int64))

    plain.assert_same(MoCoLoss(0.3, block=block), wanted, *CROPS[:2], queue)
    assert MoCoLoss().temperature == 0.07
