"""SwAV: views agree on how they are spread over prototypes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from normtheory._types import Array, Embeddings, OtherEmbeddings
from normtheory.losses._loss import Loss
from normtheory.losses._namespace import Namespace
from normtheory.losses._parts import REQUIRED, Cloud, Option, temperature
from normtheory.losses._slope import Slope
from normtheory.losses.definitions._soft_targets import over_prototypes


def _slope(
    xp: Namespace,
    u: Embeddings,
    c: OtherEmbeddings,
    *,
    codes: Float[Array, "n k"],
    temperature: Array,
) -> Slope:
    return over_prototypes(xp, u, c, lambda codes: codes, codes, temperature=temperature)


def _check(given: Mapping[str, Any]) -> None:
    seen = given.get("codes")
    if seen is not None and not np.allclose(seen.sum(axis=-1), 1, atol=1e-5):
        raise ValueError("codes: expected rows that sum to 1")


LOSS = Loss(
    name="swav",
    summary="SwAV: cross-entropy between fixed codes and softmax_k(ẑ·ĉ_k/τ), mean over a view.",
    clouds=(
        Cloud("z", "embeddings of one view", view=1),
        Cloud("prototypes", rows="k", size=lambda n: 5, role="prototypes"),
    ),
    options=(
        Option(
            "codes",
            REQUIRED,
            "assignments of the other view, rows that sum to 1",
            least=0.0,
            shape=("n", "k"),
            per_row=True,
            codes=True,
            example=lambda rng, sizes: rng.dirichlet(np.ones(sizes["k"]), sizes["n"]),
        ),
        temperature(0.1),
    ),
    slope=_slope,
    source="Caron et al. 2020, eq. 2",
    all_pairs=True,
    check=_check,
    notes="SwAV's loss is this for one view plus this for the other.",
)
