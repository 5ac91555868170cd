"""The numbers of a record: what each is called, its unit, its formula, and where that is from."""

from __future__ import annotations

from normtheory._quantity import PLAIN, Quantity

_DRIFT = "claim radial_drift"
_NORM, _ANGLE = "unit of z", "radians"
_FREE = "as free embeddings; by optimizer"

QUANTITIES = {
    "loss": Quantity("loss", "", "as given", "given"),
    "learning_rate": Quantity("learning rate η", "", "as given", "given"),
    "scale": Quantity("scale b = 1/τ", "", "as given", "given"),
    "bad_rows": Quantity(
        "rows of no use", "rows", "zero or not finite, probe and second view too", PLAIN
    ),
    "norm": Quantity("median norm", _NORM, "percentiles of ρ = ‖z‖", PLAIN),
    "norm_mean": Quantity("mean norm", _NORM, "mean of ρ", PLAIN),
    "class_norm": Quantity("median norm of a class", _NORM, "median of ρ", PLAIN),
    "decile_ratio": Quantity("norms, largest / smallest tenth", "", "ratio of the medians", PLAIN),
    "probe_decile_ratio": Quantity("the same of the probe", "", "ratio of the medians", PLAIN),
    "effective_rate": Quantity(
        "effective rate of the median",
        "",
        "γ/ρ²; Adam, AdamW, Lion: the pace η/ρ",
        "claims norm_effect, optimizers",
    ),
    "slope": Quantity(
        "size of the gradient s", "", "rms of ‖z‖‖∇L‖", "claim inverse_norm_gradient"
    ),
    "resultant": Quantity("length of the mean direction", "", "‖mean ẑ‖", PLAIN),
    "uniformity": Quantity(
        "uniformity", "", "log mean of exp(-2‖ẑ - ẑ'‖²) over pairs", "Wang & Isola 2020 (t = 2)"
    ),
    "alignment": Quantity("alignment", "", "mean ‖ẑ - ẑ'‖²", "Wang & Isola 2020 (α = 2)"),
    "gap": Quantity("modality gap", "", "‖mean ẑ - mean ẑ'‖", "claim modality_gap"),
    "probe_norm": Quantity("median norm of the probe", _NORM, "median of ρ", PLAIN),
    "turn": Quantity("turn in a step", _ANGLE, "rms angle of the probe", PLAIN),
    "turn_lag": Quantity("turn over the lag", _ANGLE, "rms angle of the probe", PLAIN),
    "lag": Quantity("lag", "steps", "between two looks at the probe", PLAIN),
    "radial_share": Quantity(
        "radial part of the displacement",
        "",
        "mean cos(z, z' - z), one step",
        "nt.drift.radial_share",
    ),
    "drift": Quantity("drift D", "", "mean of ρ ẑ·(z' - z)/η + λρ²", _DRIFT),
    "heat": Quantity("heat s", "", "rms of ρ‖P(z' - z)‖/η", _DRIFT),
    "shrinking": Quantity("norms that shrink in a step", "share", "share with ρ' < ρ", PLAIN),
    "shrinking_lag": Quantity(
        "norms that shrink over the lag", "share", "share with ρ' < ρ", PLAIN
    ),
    "slowdown": Quantity(
        "largest tenth turns slower by", "", "rms angle, smallest / largest tenth", PLAIN
    ),
    "implied_norm": Quantity(
        "norm that D and s lead to",
        _NORM,
        "ρ*² = η[αD + √(D² + (1-α²)s²)]/(1-α²); AdamW, Lion: ρ* with D/ρ and s/ρ",
        _DRIFT,
    ),
    "predicted_norm": Quantity("equilibrium norm", _NORM, _FREE, "nt.predict"),
    "predicted_turn": Quantity("turn in a step at equilibrium", _ANGLE, _FREE, "nt.predict"),
    "predicted_turn_lag": Quantity(
        "turn over the lag at equilibrium", _ANGLE, _FREE, "nt.equilibrium"
    ),
    "predicted_slowdown": Quantity(
        "largest tenth turns slower by, predicted",
        "",
        "(ρ_top / ρ_bottom)²; Adam, AdamW, Lion: ρ_top / ρ_bottom",
        "claims norm_effect, optimizers",
    ),
    "predicted_gap": Quantity(
        "modality gap, predicted",
        "",
        "from the first on: ∝ b^(-κ), κ = η/(nρ²γ_s)",
        "claim modality_gap",
    ),
}
"""Name in a record -> what it is; percentiles and classes are under ``norm`` and ``class_norm``."""

PAIRS = {
    "norm": "predicted_norm",
    "turn": "predicted_turn",
    "turn_lag": "predicted_turn_lag",
    "slowdown": "predicted_slowdown",
    "gap": "predicted_gap",
}
"""Measured -> predicted beside it."""
