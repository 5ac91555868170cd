"""Classification by directions: a softmax over cosines with class weights.

NormFace, CosFace and ArcFace differ in what is done to the cosine of the right class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normtheory._types import Array, Embeddings, Labels, OtherEmbeddings
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, Option, labels
from normtheory.losses._rows import Rows, by_rows
from normtheory.losses._slope import Slope

# (xp, u, w of the right class, cosine, margin) -> what the cosine becomes, and its derivatives with
# respect to the cosine and to the margin
Margin = Callable[[Namespace, Array, Array, Array, Any], tuple[Array, Array, Array]]

CLOUDS = (
    Cloud("z"),
    Cloud("weights", "class weights", rows="classes", least=2, size=lambda n: 3, role="prototypes"),
)
LABELS = labels(3, below="classes")


def scale(default: float) -> Option:
    """s, an inverse temperature."""
    return Option(
        "scale",
        default,
        "s, an inverse temperature",
        trained=True,
        above=0.0,
        steepness=lambda s: s,
        example=4.0,
    )


def no_margin(
    xp: Namespace, u: Array, w: Array, cosine: Array, margin: Any
) -> tuple[Array, Array, Array]:
    """The cosine as it is."""
    return cosine, xp.ones_like(cosine), xp.zeros_like(cosine)


def margin_softmax(
    xp: Namespace,
    u: Embeddings,
    w: OtherEmbeddings,
    *,
    labels: Labels,
    scale: Array,
    form: Margin,
    margin: Any = 0.0,
) -> Slope:
    """Mean of -log softmax_k(s û·ŵ_k) at the right class, whose cosine ``form`` changes."""
    n, classes = u.shape[0], w.shape[0]
    numbers = xp.indices(classes, u)
    # A label outside the classes is refused at the door; under jit it gives NaN, not a wrong class.
    known = (labels >= 0) & (labels < classes)
    labels = xp.astype(xp.where(known, labels, xp.zeros_like(labels)), numbers.dtype)
    w_own = xp.take(w, labels, axis=0)
    cosine = xp.where(known, xp.sum(u * w_own, axis=-1), float("nan"))
    own, by_own, by_margin = form(xp, u, w_own, cosine, margin)

    def of_block(logits: Array, index: Array, labels: Array, positive: Array, by: Array) -> Rows:
        right = labels[:, None] == numbers[None, :]
        part = xp.softmax(xp.where(right, -float("inf"), logits))
        total = part.top - positive + xp.log(part.total)
        missing = xp.sigmoid(total)
        off = part.powers * (missing[:, None] / part.unit)
        weights = xp.where(right, -(missing * by)[:, None], off)
        return Rows(xp.softplus(total), weights, (missing,))

    some = xp.wants("z", "scale")
    found = by_rows(
        xp,
        of_block,
        u,
        w,
        labels,
        scale * own,
        by_own,
        scale=scale,
        slopes=(some, xp.wants("weights")),
    )
    (missing,) = found.others
    # Σ W∘S holds the right class with its own cosine; what is differentiated has the changed one.
    by_scale = xp.sum(xp.sum(u * found.rows, axis=-1) + missing * (by_own * cosine - own)) / n
    return Slope(
        xp.mean(found.loss),
        {"z": scale / n * found.rows, "weights": scale / n * found.columns},
        {"scale": by_scale, "margin": -scale * xp.sum(missing * by_margin) / n},
    )
