"""DINO: the student's softmax over prototypes follows the teacher's, centred and sharpened."""

from __future__ import annotations

from typing import Any

from normtheory._types import Array, Embeddings, OtherEmbeddings
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import Cloud, Option, temperature
from normtheory.losses._slope import Slope
from normtheory.losses.definitions._soft_targets import over_prototypes


def _slope(
    xp: Namespace,
    u: Embeddings,
    t: Embeddings,
    c: OtherEmbeddings,
    c_t: OtherEmbeddings,
    *,
    centre: Any,
    temperature: Array,
    target_temperature: Array,
) -> Slope:
    offset = centre[None, :] if centre.ndim else centre

    def targets(t: Array) -> Array:
        part = xp.softmax((xp.product(t, c_t.T) - offset) / target_temperature)
        return part.powers / part.unit

    return over_prototypes(xp, u, c, targets, t, temperature=temperature)


LOSS = Loss(
    name="dino",
    summary="DINO: -Σ_k q_k log softmax_k(ẑ·ĉ_k/τ), q = softmax((t̂·ĉ'_k - centre_k)/τ'), a mean.",
    clouds=(
        Cloud("z", "student's bottleneck embeddings of one view"),
        Cloud("target", "teacher's embeddings of another view", trained=False),
        Cloud(
            "prototypes",
            "the student's weight-normalised last layer",
            rows="k",
            size=lambda n: 5,
            role="prototypes",
        ),
        Cloud(
            "target_prototypes",
            "the teacher's",
            trained=False,
            rows="k",
            size=lambda n: 5,
            role="prototypes",
        ),
    ),
    options=(
        Option(
            "centre",
            0.0,
            "running mean of the teacher's outputs",
            shape=("k",),
            example=lambda rng, sizes: 0.1 * rng.standard_normal(sizes["k"]),
        ),
        temperature(0.1, "τ of the student", example=None),
        temperature(
            0.04,
            "τ' of the teacher; below τ it sharpens",
            name="target_temperature",
            trained=False,
            example=None,
        ),
    ),
    slope=_slope,
    source="Caron et al. 2021, eqs. 1-2",
    all_pairs=True,
    notes="The source's section 3.1 has the centre and the temperatures.",
)
