"""Heads with class weights of their own."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from normtheory.torch import ArcFaceLoss, CosFaceLoss, NormFaceLoss  # noqa: E402
from tests.normtheory.torch import plain  # noqa: E402
from tests.normtheory.torch.data import cloud, number  # noqa: E402

Z, W = cloud(6, seed=1), cloud(5, seed=2)
LABELS = torch.tensor([0, 3, 1, 4, 2, 3])


def plainly(change, z, weights, scale, margin):
    """Cross-entropy of scaled cosines with that of the right class changed."""
    cosine = plain.unit(z) @ plain.unit(weights).T
    right = torch.nn.functional.one_hot(LABELS, 5).bool()
    logits = scale * torch.where(right, change(cosine, margin), cosine)
    return torch.nn.functional.cross_entropy(logits, LABELS)


CHANGES = {
    NormFaceLoss: lambda c, m: c + 0 * m,
    CosFaceLoss: lambda c, m: c - m,
    ArcFaceLoss: lambda c, m: torch.cos(torch.acos(c) + m),
}


@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("make", CHANGES)
def test_embeddings_weights_and_options(make, block):
    def found(z, weights, scale, margin):
        options = {} if make is NormFaceLoss else {"margin": margin}
        head = make(5, 4, scale=scale, block=block, **options)
        del head.weight
        head.weight = weights
        return head(z, LABELS)

    def wanted(*leaves):
        return plainly(CHANGES[make], *leaves)

    plain.assert_same(found, wanted, Z, W, number(4.0), number(0.4))


@pytest.mark.parametrize(
    ("make", "scale", "margin"),
    [(NormFaceLoss, 16.0, None), (CosFaceLoss, 64.0, 0.35), (ArcFaceLoss, 64.0, 0.5)],
)
def test_a_head_is_a_module_with_weights(make, scale, margin):
    torch.manual_seed(0)
    wide = make(num_classes=100, embedding_size=40).weight
    assert 0.93 < wide.std() < 1.07  # False alarms: 1e-9 (4000 normal draws: six of their errors).
    head = make(num_classes=5, embedding_size=4)
    assert {name: p.shape for name, p in head.named_parameters()} == {"weight": (5, 4)}
    assert head.scale == scale
    assert getattr(head, "margin", None) == margin
    z = Z.float().requires_grad_()
    head(z, LABELS).backward()
    exact = [
        x.float()
        for x in plain.derivatives(
            lambda z, w: plainly(CHANGES[make], z, w, number(scale), number(margin or 0.0)),
            z.detach().double(),
            head.weight.detach().double(),
        )
    ]
    torch.testing.assert_close(z.grad, exact[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head.weight.grad, exact[2], rtol=1e-4, atol=1e-4)
    # To predict: cosines, scaled, without the margin.
    cosines = torch.nn.functional.cosine_similarity(z[:, None], head.weight[None], dim=-1)
    torch.testing.assert_close(head.logits(z), scale * cosines)


def test_halves_of_autocast_meet_weights_in_single_precision():
    head = CosFaceLoss(5, 4, scale=4.0)
    z = Z.bfloat16().requires_grad_()
    value = head(z, LABELS)
    wanted = plainly(
        CHANGES[CosFaceLoss], z.double(), head.weight.double(), number(4.0), number(0.35)
    )
    assert value.item() == pytest.approx(wanted.item(), rel=1e-5)
    value.backward()
    assert z.grad is not None
    assert z.grad.dtype == torch.bfloat16
    assert head.weight.grad is not None
    assert head.weight.grad.dtype == torch.float32
    assert head.logits(z).dtype == torch.float32


def test_a_margin_in_degrees_is_refused():
    with pytest.raises(ValueError, match="margin"):
        ArcFaceLoss(5, 4, margin=28.6)
    assert ArcFaceLoss(5, 4, margin=math.radians(28.6)).margin == pytest.approx(0.5, abs=1e-3)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"num_classes: expected an integer >= 2, got 1"):
        NormFaceLoss(1, 4)
    with pytest.raises(ValueError, match="labels"):
        NormFaceLoss(5, 4).double()(Z, LABELS + 2)
