"""MoCo: queries pick their key among a queue of older keys."""

from __future__ import annotations

from normtheory._types import Array, Embeddings, OtherEmbeddings
from normtheory.losses._contrast import rowwise
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, temperature
from normtheory.losses._slope import Slope


def _slope(
    xp: Namespace,
    u: Embeddings,
    keys: Embeddings,
    queue: OtherEmbeddings,
    *,
    temperature: Array,
) -> Slope:
    n, scale = u.shape[0], 1 / temperature
    cosine = xp.sum(u * keys, axis=-1)
    slopes = xp.wants("queries", "temperature")
    found = rowwise(
        xp, u, queue, scale * cosine, lambda index: (), None, scale=scale, slopes=slopes
    )
    weight = xp.sigmoid(found.total)[:, None]
    slope = weight * (found.mean - keys)
    return Slope(
        xp.mean(xp.softplus(found.total)),
        {"queries": scale / n * slope},
        {"temperature": -(scale**2) / n * xp.sum(u * slope)},
    )


LOSS = Loss(
    name="moco",
    summary="MoCo: mean over queries of -log softmax of the own key against a queue.",
    clouds=(
        Cloud("queries"),
        Cloud("keys", "keys of the momentum encoder, the positives", trained=False),
        Cloud(
            "queue",
            "older keys, the negatives",
            trained=False,
            rows="m",
            role="queue",
            size=lambda n: 2 * n + 1,
        ),
    ),
    options=(temperature(0.07),),
    slope=_slope,
    source="He et al. 2020, eq. 1",
    all_pairs=True,
)
