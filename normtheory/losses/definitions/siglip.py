"""SigLIP: every pair of the batch is a yes-or-no question of its own."""

from __future__ import annotations

from normtheory._types import Array, Embeddings
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, Option, temperature
from normtheory.losses._rows import Rows, by_rows
from normtheory.losses._slope import Slope


def _slope(
    xp: Namespace,
    u: Embeddings,
    v: Embeddings,
    *,
    temperature: Array,
    bias: Array,
) -> Slope:
    n, scale = u.shape[0], 1 / temperature

    def of_block(logits: Array, index: Array) -> Rows:
        # The question about the partner stands apart, below.
        logits = xp.filled(logits + bias, -float("inf"), index)
        weights = xp.sigmoid(logits)
        return Rows(xp.sum(xp.softplus(logits), axis=-1), weights, (xp.sum(weights, axis=-1),))

    some = xp.wants("z_1", "temperature")
    found = by_rows(xp, of_block, u, v, scale=scale, slopes=(some, xp.wants("z_2")))
    cosine = xp.sum(u * v, axis=-1)
    wrong = -(scale * cosine + bias)
    pull = xp.sigmoid(wrong)
    by_scale = xp.sum(xp.sum(u * found.rows, axis=-1) - pull * cosine)
    return Slope(
        xp.mean(found.loss + xp.softplus(wrong)),
        {
            "z_1": scale / n * (found.rows - pull[:, None] * v),
            "z_2": scale / n * (found.columns - pull[:, None] * u),
        },
        {
            "temperature": -(scale**2) / n * by_scale,
            "bias": xp.sum(found.others[0] - pull) / n,
        },
    )


LOSS = Loss(
    name="siglip",
    summary="SigLIP: (1/n) Σ_ab log(1 + exp(-y_ab (ẑ_1a·ẑ_2b/τ + β))), y = 1 for partners, or -1.",
    clouds=(
        Cloud("z_1", "embeddings of one modality"),
        Cloud("z_2", "their partners in the other"),
    ),
    options=(
        temperature(0.1, "τ, the inverse of the source's t"),
        Option("bias", -10.0, "β", trained=True, example=-2.0),
    ),
    slope=_slope,
    source="Zhai et al. 2023, sec. 3.2",
    all_pairs=True,
)
