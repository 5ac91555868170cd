"""SupCon, with labels and with views."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from normtheory.torch import SupConLoss  # noqa: E402
from tests.normtheory.torch import plain  # noqa: E402
from tests.normtheory.torch.data import cloud  # noqa: E402

Z = cloud(7)
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3])  # two points are alone


@pytest.mark.parametrize("block", [None, 3])
def test_labels(block):
    loss = SupConLoss(0.3, block=block)
    plain.assert_same(lambda z: loss(z, LABELS), lambda z: plain.supcon(z, LABELS, 0.3), Z)


def test_the_base_temperature_of_the_authors():
    plain.assert_same(
        lambda z: SupConLoss(0.3, base_temperature=0.07)(z, LABELS),
        lambda z: 0.3 / 0.07 * plain.supcon(z, LABELS, 0.3),
        Z / 4,
    )
    with pytest.raises(ValueError, match="base_temperature"):
        SupConLoss(base_temperature=0.0)


def test_views_of_a_point_share_its_label():
    features = cloud(6).reshape(3, 2, 4)
    flat = features.reshape(6, 4)
    for labels, repeated in (
        (None, [0, 0, 1, 1, 2, 2]),
        (torch.tensor([5, 7, 5]), [5, 5, 7, 7, 5, 5]),
    ):
        wanted = plain.supcon(flat, torch.tensor(repeated), 0.3)
        assert SupConLoss(0.3)(features, labels).item() == pytest.approx(wanted.item(), rel=1e-12)


def test_what_is_refused():
    with pytest.raises(ValueError, match="labels: expected labels for embeddings"):
        SupConLoss()(Z)
    with pytest.raises(ValueError, match="at least one class with two points"):
        SupConLoss()(Z, torch.arange(7))
    with pytest.raises(ValueError, match="where processes share a batch"):
        SupConLoss(gather_distributed=True)(Z[:6].reshape(3, 2, 4))
