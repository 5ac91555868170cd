"""What an optimizer of PyTorch says about itself, in the words of the monitor."""

from __future__ import annotations

from typing import Any


def group_of(optimizer: Any, module: Any) -> dict[str, Any]:
    """The group of the optimizer with the module's parameters; the first that has any of them."""
    own = {id(p) for p in module.parameters()}
    groups = optimizer.param_groups
    return next((g for g in groups if own & {id(p) for p in g["params"]}), groups[0])


def settings_of(optimizer: Any, group: dict[str, Any]) -> dict[str, Any]:
    """Settings of :class:`normtheory.Monitor` by name; only the decay of what is not known."""
    found: dict[str, Any] = {"weight_decay": float(group.get("weight_decay", 0.0))}
    kind = _kind(type(optimizer).__name__, group)
    if kind is None:
        return found
    found["optimizer"] = kind
    if kind == "momentum":
        found |= {"momentum": float(group["momentum"])}
    elif kind != "sgd":
        found |= {"beta_1": float(group["betas"][0]), "beta_2": float(group["betas"][1])}
    return found


def _kind(name: str, group: dict[str, Any]) -> str | None:
    plain = not (group.get("nesterov") or group.get("amsgrad") or group.get("maximize"))
    if not plain or group.get("dampening"):
        return None
    if name == "SGD":
        return "momentum" if group["momentum"] else "sgd"
    if name == "Adam":
        return "adamw" if group.get("decoupled_weight_decay") else "adam"
    return {"AdamW": "adamw", "Lion": "lion"}.get(name)
