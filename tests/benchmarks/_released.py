"""Losses of released packages, each as a function of two clouds whose rows belong together.

``call(z, partner, temperature)``: row i of ``partner`` is the positive of row i of ``z``: its other
view, or the prototype of its class. Both are arrays of the loss's own library, of the same dtype.
Packages are imported when a loss is called, so that one that is missing hinders no other.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Call = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Released:
    """A loss that somebody released.

    Attributes:
        package: what it is installed as.
        name: of the loss, and how it is called if that isn't the plain way.
        call: see the module.
        library: "jax" or "torch".
        tempered: whether it has a temperature (or a scale, its inverse).
    """

    package: str
    name: str
    call: Call = field(repr=False)
    library: str = "torch"
    tempered: bool = True


def _torch() -> Any:
    return importlib.import_module("torch")


def _both(z: Any, partner: Any) -> tuple[Any, Any]:
    """Both views in one batch, and labels that say which rows belong together."""
    torch = _torch()
    return torch.cat([z, partner]), torch.arange(len(z)).repeat(2)


def _views(name: str, **options: Any) -> Call:
    """A loss of pytorch-metric-learning on both views with labels."""

    def call(z: Any, partner: Any, temperature: Any) -> Any:
        module = importlib.import_module("pytorch_metric_learning.losses")
        given = {k: v(temperature) for k, v in options.items()}
        return getattr(module, name)(**given)(*_both(z, partner))

    return call


def _prototypes(name: str, **options: Any) -> Call:
    """A loss of pytorch-metric-learning against prototypes, one class a row."""

    def call(z: Any, partner: Any, temperature: Any) -> Any:
        module = importlib.import_module("pytorch_metric_learning.losses")
        classes, dimension = partner.shape
        given = {k: v(temperature) for k, v in options.items()}
        loss = getattr(module, name)(num_classes=classes, embedding_size=dimension, **given)
        del loss.W  # a parameter of its own; the prototypes are the partner, trained like it
        loss.W = partner.T
        return loss(z, _torch().arange(len(z)))

    return call


def _lightly(name: str, module_name: str = "lightly.loss", **options: Any) -> Call:
    """A loss of lightly on two views."""

    def call(z: Any, partner: Any, temperature: Any) -> Any:
        module = importlib.import_module(module_name)
        return getattr(module, name)(**{k: v(temperature) for k, v in options.items()})(z, partner)

    return call


def _lightly_swav(option: str) -> Call:
    """SwAV as lightly's example has it: the caller normalises, and gives similarities."""

    def call(z: Any, partner: Any, temperature: Any) -> Any:
        module = importlib.import_module("lightly.loss")
        normalize = _torch().nn.functional.normalize
        # The prototypes are the axes, so that the similarities are the components.
        scores = [normalize(z), normalize(partner)]
        return module.SwaVLoss(**{option: temperature})(scores, []).mean()

    return call


def _torch_cross_entropy(z: Any, partner: Any, temperature: Any) -> Any:
    """InfoNCE as it is written by hand."""
    functional = _torch().nn.functional
    logits = functional.normalize(z) @ functional.normalize(partner).T / temperature
    return functional.cross_entropy(logits, _torch().arange(len(z)))


def _torch_cosine(z: Any, partner: Any, temperature: Any) -> Any:
    return -_torch().nn.functional.cosine_similarity(z, partner).mean()


def _torch_embedding(z: Any, partner: Any, temperature: Any) -> Any:
    torch = _torch()
    return torch.nn.CosineEmbeddingLoss()(z, partner, torch.ones(len(z)))


def _torch_triplet(z: Any, partner: Any, temperature: Any) -> Any:
    return _torch().nn.TripletMarginLoss()(z, partner, partner.roll(1, 0))


def _torch_cosine_triplet(z: Any, partner: Any, temperature: Any) -> Any:
    torch = _torch()

    def distance(x: Any, y: Any) -> Any:
        return 1 - torch.nn.functional.cosine_similarity(x, y)

    loss = torch.nn.TripletMarginWithDistanceLoss(distance_function=distance)
    return loss(z, partner, partner.roll(1, 0))


def _optax(name: str) -> Call:
    def call(z: Any, partner: Any, temperature: Any) -> Any:
        sign = -1 if name == "cosine_similarity" else 1
        return sign * getattr(importlib.import_module("optax.losses"), name)(z, partner).mean()

    return call


def _optax_ntxent(z: Any, partner: Any, temperature: Any) -> Any:
    jnp = importlib.import_module("jax.numpy")
    labels = jnp.tile(jnp.arange(len(z)), 2)
    losses = importlib.import_module("optax.losses")
    return losses.ntxent(jnp.concatenate([z, partner]), labels, temperature)


def _optax_triplet(z: Any, partner: Any, temperature: Any) -> Any:
    jnp = importlib.import_module("jax.numpy")
    losses = importlib.import_module("optax.losses")
    return losses.triplet_margin_loss(z, partner, jnp.roll(partner, 1, axis=0)).mean()


def _ours(name: str, **options: Any) -> Call:
    """A loss of this library on two views."""

    def call(z: Any, partner: Any, temperature: Any) -> Any:
        losses = importlib.import_module("normtheory.losses")
        given = {k: v(temperature) for k, v in options.items()}
        return getattr(losses, name)(z, partner, **given)

    return call


def _ours_labelled(name: str) -> Call:
    """A loss of this library against prototypes, one class a row."""

    def call(z: Any, partner: Any, temperature: Any) -> Any:
        jnp = importlib.import_module("jax.numpy")
        losses = importlib.import_module("normtheory.losses")
        return getattr(losses, name)(z, partner, jnp.arange(len(z)), scale=1 / temperature)

    return call


def _ours_supcon(z: Any, partner: Any, temperature: Any) -> Any:
    jnp = importlib.import_module("jax.numpy")
    losses = importlib.import_module("normtheory.losses")
    labels = jnp.tile(jnp.arange(len(z)), 2)
    return losses.supcon(jnp.concatenate([z, partner]), labels, temperature=temperature)


def _same(temperature: Any) -> Any:
    return temperature


def _inverse(temperature: Any) -> Any:
    return 1 / temperature


def _cosine_distance(temperature: Any) -> Any:
    return importlib.import_module("pytorch_metric_learning.distances").CosineSimilarity()


_PML = "pytorch-metric-learning"
RELEASED = (
    Released("optax", "ntxent", _optax_ntxent, "jax"),
    Released("torch", "cross_entropy of normalize", _torch_cross_entropy),
    Released(_PML, "NTXentLoss", _views("NTXentLoss", temperature=_same)),
    Released(_PML, "SupConLoss", _views("SupConLoss", temperature=_same)),
    Released(_PML, "CircleLoss (gamma = 1/τ)", _views("CircleLoss", gamma=_inverse)),
    Released(_PML, "NormalizedSoftmaxLoss",
             _prototypes("NormalizedSoftmaxLoss", temperature=_same)),
    Released(_PML, "CosFaceLoss (scale = 1/τ)", _prototypes("CosFaceLoss", scale=_inverse)),
    Released(_PML, "ArcFaceLoss (scale = 1/τ)", _prototypes("ArcFaceLoss", scale=_inverse)),
    Released(_PML, "SphereFaceLoss (scale = 1/τ)", _prototypes("SphereFaceLoss", scale=_inverse)),
    Released("lightly", "NTXentLoss", _lightly("NTXentLoss", temperature=_same)),
    Released("lightly", "DCLLoss", _lightly("DCLLoss", temperature=_same)),
    Released("lightly", "DCLWLoss", _lightly("DCLWLoss", temperature=_same)),
    Released("lightly", "MACLLoss", _lightly("MACLLoss", temperature=_same)),
    Released("lightly", "SwaVLoss of normalize", _lightly_swav("temperature")),
    Released("lightly", "SwaVLoss (sinkhorn_epsilon = τ)", _lightly_swav("sinkhorn_epsilon")),
    Released("normtheory", "info_nce", _ours("info_nce", temperature=_same), "jax"),
    Released("normtheory", "nt_xent", _ours("nt_xent", temperature=_same), "jax"),
    Released("normtheory", "decoupled", _ours("decoupled", temperature=_same), "jax"),
    Released("normtheory", "supcon", _ours_supcon, "jax"),
    Released("normtheory", "normface (scale = 1/τ)", _ours_labelled("normface"), "jax"),
    Released("normtheory", "arcface (scale = 1/τ)", _ours_labelled("arcface"), "jax"),
    Released("optax", "cosine_similarity", _optax("cosine_similarity"), "jax", False),
    Released("optax", "cosine_distance", _optax("cosine_distance"), "jax", False),
    Released("optax", "triplet_margin_loss", _optax_triplet, "jax", False),
    Released("torch", "cosine_similarity", _torch_cosine, tempered=False),
    Released("torch", "CosineEmbeddingLoss", _torch_embedding, tempered=False),
    Released("torch", "TripletMarginLoss", _torch_triplet, tempered=False),
    Released("torch", "TripletMarginWithDistanceLoss (1 - cos)", _torch_cosine_triplet,
             tempered=False),
    Released(_PML, "TripletMarginLoss", _views("TripletMarginLoss"), tempered=False),
    Released(_PML, "TripletMarginLoss (CosineSimilarity)",
             _views("TripletMarginLoss", distance=_cosine_distance), tempered=False),
    Released(_PML, "ContrastiveLoss", _views("ContrastiveLoss"), tempered=False),
    Released(_PML, "MultiSimilarityLoss", _views("MultiSimilarityLoss"), tempered=False),
    Released("lightly", "NegativeCosineSimilarity", _lightly("NegativeCosineSimilarity"),
             tempered=False),
    Released("lightly", "HypersphereLoss",
             _lightly("HypersphereLoss", "lightly.loss.hypersphere_loss"), tempered=False),
    Released("lightly", "BarlowTwinsLoss", _lightly("BarlowTwinsLoss"), tempered=False),
    Released("lightly", "VICRegLoss", _lightly("VICRegLoss"), tempered=False),
    Released("lightly", "TiCoLoss", _lightly("TiCoLoss"), tempered=False),
    Released("normtheory", "attraction", _ours("attraction"), "jax", False),
    Released("normtheory", "alignment", _ours("alignment"), "jax", False),
)  # fmt: skip
"""Those with a temperature first."""
