"""How much of a frequency shows in the norms, by optimizer."""

from __future__ import annotations

from normtheory._arrays import check_kind

_EXPONENTS: dict[tuple[str, str | None], float] = {
    ("sgd", None): 0.25,
    ("sgd", "every step"): 0.25,
    ("sgd", "on visits"): 0.0,
    ("lazy_adam", None): 0.5,
    ("lazy_adam", "every step"): 0.5,
    ("lazy_adam", "on visits"): 0.0,
    ("rowwise_adagrad", None): 0.0,
}
_NO_POWER = {
    "adam": "dense Adam has no one exponent: see the frequency of adamw_norm",
    "adamw": "dense AdamW has no one exponent: see the frequency of adamw_norm",
}


def frequency_exponent(optimizer: str, *, decay: str | None = None) -> float:
    """Exponent q with which norms go as frequency**q, for embeddings that are seen now and then.

    For fresh gradients of one size. Without decay it is what growing norms tend to; with decay it
    is that of the equilibrium, where the rate times the decay is far below the frequency. Claim
    :mod:`normtheory.claims.norm_and_frequency`.

    Args:
        optimizer: "sgd"; "lazy_adam", which leaves embeddings and their moments alone in steps
            without a gradient (``torch.optim.SparseAdam``), with decay its decoupled form; or
            "rowwise_adagrad", one accumulator an embedding, whose norms go as √log.
        decay: None, "every step", or "on visits" for decay only where there is a gradient.

    Returns:
        q, a pure number.

    Raises:
        ValueError: no such optimizer or decay; dense Adam; Adagrad with decay, which has no
            equilibrium.

    Reference:
        Derived here.

    Example:
        >>> frequency_exponent("sgd")
        0.25
        >>> frequency_exponent("lazy_adam", decay="on visits")
        0.0
    """
    check_kind("optimizer", optimizer, str, "the name of an optimizer")
    if optimizer in _NO_POWER:
        raise ValueError(f"optimizer: {_NO_POWER[optimizer]}")
    names = sorted({name for name, _ in _EXPONENTS})
    if optimizer not in names:
        raise ValueError(f"optimizer: expected one of {', '.join(names)}, got {optimizer!r}")
    if decay not in (None, "every step", "on visits"):
        raise ValueError(f"decay: expected None, 'every step' or 'on visits', got {decay!r}")
    if (optimizer, decay) not in _EXPONENTS:
        raise ValueError(f"decay: {optimizer} has no equilibrium under decay, expected None")
    return _EXPONENTS[optimizer, decay]
