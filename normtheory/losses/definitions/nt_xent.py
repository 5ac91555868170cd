"""NT-Xent: 2n views, every one picks its partner among all the others."""

from __future__ import annotations

from normtheory._types import Array, Embeddings
from normtheory.losses._contrast import Side, cross_entropy, rowwise
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, temperature
from normtheory.losses._slope import Slope


def among_views(
    xp: Namespace,
    u: Embeddings,
    v: Embeddings,
    *,
    temperature: Array,
    side: Side = cross_entropy,
) -> Slope:
    """The loss of every view against its partner, the others of both views being its negatives."""
    loss, weigh = side(xp)
    n, scale = u.shape[0], 1 / temperature
    views, partner = xp.concat([u, v]), xp.concat([v, u])
    cosine = xp.sum(views * partner, axis=-1)
    slopes = xp.wants("z_1", "z_2", "temperature")
    found = rowwise(
        xp,
        views,
        views,
        scale * cosine,
        lambda index: (index, (index + n) % (2 * n)),  # neither itself nor its partner
        weigh if slopes else None,
        scale=scale,
        slopes=slopes,
    )
    weight = weigh(found.total)
    # A view is pulled as an anchor, and as the positive of its partner.
    pull = weight + xp.roll(weight, n)
    pushed = weight[:, None] * found.mean
    factor = scale / (2 * n)
    slope = factor * (pushed + found.columns - pull[:, None] * partner)
    by_scale = xp.sum(xp.sum(views * pushed, axis=-1) - weight * cosine)
    return Slope(
        xp.mean(loss(found.total)),
        {"z_1": slope[:n], "z_2": slope[n:]},
        {"temperature": -factor * scale * by_scale},
    )


LOSS = Loss(
    name="nt_xent",
    summary="NT-Xent, of SimCLR: mean of -log softmax_{k≠i}(ẑ_i·ẑ_k/τ) at the partner of i.",
    clouds=(
        Cloud("z_1", "first views", least=2),
        Cloud("z_2", "second views, of which the a-th is the partner of the a-th", least=2),
    ),
    options=(temperature(0.5),),
    slope=among_views,
    source="Chen et al. 2020, eq. 1",
    all_pairs=True,
    notes="The mean is over all 2n views i, and k over all others.",
)
