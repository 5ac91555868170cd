"""CLIP and SigLIP take what OpenCLIP passes."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from normtheory.torch import ClipLoss, SigLipLoss  # noqa: E402
from tests.normtheory.torch import plain  # noqa: E402
from tests.normtheory.torch.data import cloud, number  # noqa: E402

IMAGE, TEXT = cloud(5, seed=1), cloud(5, seed=2)


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("block", [None, 3])
def test_features_and_scale(block, shape):
    scale = number(4.0, *shape)
    plain.assert_same(ClipLoss(block=block), plain.clip, IMAGE, TEXT, scale)
    plain.assert_same(
        SigLipLoss(block=block), plain.siglip, IMAGE, TEXT, scale, number(-1.5, *shape)
    )


def test_numbers_and_no_bias():
    found = SigLipLoss()(IMAGE, TEXT, 4.0)
    assert found.item() == pytest.approx(plain.siglip(IMAGE, TEXT, number(4.0), 0.0).item())
    assert ClipLoss()(IMAGE, TEXT, 4).item() == pytest.approx(
        plain.clip(IMAGE, TEXT, number(4.0)).item()
    )


def test_a_logarithm_that_is_clamped_after_every_step():
    log_scale = torch.nn.Parameter(number(math.log(1 / 0.07)))
    loss = ClipLoss()(IMAGE, TEXT, log_scale.exp().clamp(max=100.0))
    loss.backward()
    _, wanted = plain.derivatives(lambda x: plain.clip(IMAGE, TEXT, x.exp()), log_scale.detach())
    assert log_scale.grad is not None
    assert log_scale.grad.item() == pytest.approx(wanted.item(), rel=1e-10)


def test_a_bias_of_clip_cancels_and_has_a_gradient_of_zero():
    bias = number(3.0, 1).requires_grad_()
    value = ClipLoss()(IMAGE, TEXT, 4.0, bias)
    assert value.item() == ClipLoss()(IMAGE, TEXT, 4.0).item()
    value.backward()
    assert torch.equal(bias.grad, torch.zeros(1, dtype=torch.float64))


def test_a_dictionary():
    for found in (
        ClipLoss()(IMAGE, TEXT, 4.0, output_dict=True),
        SigLipLoss()(IMAGE, TEXT, 4.0, -1.0, output_dict=True),
    ):
        assert set(found) == {"contrastive_loss"}
        assert found["contrastive_loss"].shape == ()


def test_half_a_scale_is_inverted_in_single_precision():
    image, text = IMAGE.bfloat16(), TEXT.bfloat16()
    scale = torch.tensor(14.25, dtype=torch.bfloat16)  # whose inverse bfloat16 does not hold
    wanted = plain.clip(image.double(), text.double(), scale.double())
    found = ClipLoss()(image, text, scale)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_settings_of_openclip():
    loss = ClipLoss(local_loss=True, gather_with_grad=True, cache_labels=True, rank=0, world_size=1)
    assert loss(IMAGE, TEXT, 4.0) == ClipLoss()(IMAGE, TEXT, 4.0)
    assert SigLipLoss(chunk_size=2).block == 2
    assert SigLipLoss(cache_labels=True, rank=0, world_size=1, dist_impl="bidir").block is None
    with pytest.raises(ValueError, match="gather_with_grad: expected True"):
        ClipLoss(gather_with_grad=False, world_size=2)
    assert ClipLoss(gather_with_grad=False).gather_distributed is False
    assert ClipLoss(world_size=2).gather_distributed is True
