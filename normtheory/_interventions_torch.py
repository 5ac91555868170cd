"""GradScale and cut-initialisation on PyTorch tensors, modules and state dicts.

Loaded when one of them comes in; :mod:`normtheory.interventions` is the door.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from jax.tree_util import DictKey, GetAttrKey
from torch import nn  # pyright: ignore[reportMissingImports]

from normtheory._arrays import check_fits, is_wrapped
from normtheory._last_layer import last_layer

_STATISTICS = ("running_mean", "running_var")  # of BatchNorm and its kin, in a state dict
# The two halves of a weight under weight normalisation, old and new.
_NORMALISED = ("weight_g", "weight_v")


class _GradScale(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(z: Any, power: float) -> Any:
        return z.view_as(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, float], output: Any) -> None:
        z, ctx.power = inputs
        ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, None]:
        (z,), (gradient,) = ctx.saved_tensors, gradients
        power = ctx.power
        # As in JAX: half precision in float32, powers of two taken out, half of them on each side.
        dtype = torch.promote_types(z.dtype, torch.float32)
        wide = z.to(dtype)
        largest = wide.detach().abs().amax(dim=-1, keepdim=True)
        largest = torch.where(largest == 0, torch.ones_like(largest), largest)
        unit = largest / (2 * torch.frexp(largest).mantissa)  # in words torch.compile can follow
        rest = (wide / unit).square().sum(dim=-1, keepdim=True).sqrt()
        half = unit ** (power / 2)
        return ((gradient.to(dtype) * half) * rest**power * half).to(z.dtype), None


def grad_scale(z: torch.Tensor, power: float) -> Any:
    """:func:`normtheory.grad_scale` of a tensor; the power is checked."""
    if z.ndim == 0 or z.shape[-1] == 0 or not z.is_floating_point():
        name = str(z.dtype).removeprefix("torch.")
        raise TypeError(
            f"z: expected floating-point embeddings (..., d), got {name} of shape {tuple(z.shape)}"
        )
    _check_rows(z.detach())
    return _GradScale.apply(z, power)


def _check_rows(z: torch.Tensor) -> None:
    """Raise ValueError naming the first bad row, looked for where the tensor lies."""
    if torch.compiler.is_compiling() or is_wrapped(z) or z.is_meta:
        return
    finite = torch.isfinite(z).all(dim=-1)
    if bool((finite & (z != 0).any(dim=-1)).all()):
        return
    wrong = ~finite if not finite.all() else ~(z != 0).any(dim=-1)
    index = tuple(int(i) for i in np.argwhere(wrong.cpu().numpy())[0])
    row = "" if not index else f" row {index[0] if len(index) == 1 else index}"
    if not finite.all():
        raise ValueError(f"z{row} is not finite")
    raise ValueError(f"z{row} is zero: a zero vector has no direction")


def cut_module(model: Any, factor: float, part: str) -> None:
    """Divide the parameters of a module in place, each once."""
    # A module lists a parameter once, under the first of its names.
    parameters = {
        name: x
        for name, x in model.named_parameters()
        if _has_values(name, x) and x.is_floating_point()
    }
    if not parameters:
        raise TypeError(
            f"model: expected floating-point parameters, got none in {type(model).__name__}"
        )
    chosen = _chosen(parameters, part, ordered=True)
    _check_factor(factor, [parameters[name] for name in chosen])
    with torch.no_grad():
        for x in {_place(parameters[name]): parameters[name] for name in chosen}.values():
            x.div_(factor)


def cut_state_dict(state: Any, factor: float, part: str) -> Any:
    """A state dict like ``state`` with divided parameters; tied ones stay tied."""
    parameters = {
        str(name): x
        for name, x in state.items()
        if isinstance(x, torch.Tensor)
        and _has_values(str(name), x)
        and x.is_floating_point()
        and str(name).rpartition(".")[2] not in _STATISTICS
    }
    if not parameters:
        raise TypeError("model: expected floating-point parameters, got none in the state dict")
    # What state_dict() gives carries this, and then its order is that of the module.
    chosen = _chosen(parameters, part, ordered=hasattr(state, "_metadata"))
    places = {_place(parameters[name]) for name in chosen}
    _check_factor(factor, [parameters[name] for name in chosen])
    cut: dict[Any, Any] = {}
    out = copy.copy(state)
    for name, x in state.items():
        place = _place(x) if parameters.get(str(name)) is x else None
        if place in places:
            if place not in cut:
                cut[place] = x.detach() / factor
            out[name] = cut[place]
    return out


def _check_factor(factor: float, chosen: list[torch.Tensor]) -> None:
    for x in chosen:
        check_fits("factor", factor, torch.finfo(x.dtype))


def _has_values(name: str, x: torch.Tensor) -> bool:
    if nn.parameter.is_lazy(x) or x.is_meta:
        raise ValueError(
            f"model: {name} has no values yet: materialise it (lazy modules: run one batch) and "
            "cut then"
        )
    return True


def _place(x: torch.Tensor) -> tuple[Any, ...]:
    """What tied parameters have in common: the same memory, looked at in the same way."""
    return x.data_ptr(), x.device, x.dtype, tuple(x.shape), tuple(x.stride())


def _chosen(parameters: Mapping[str, torch.Tensor], part: str, *, ordered: bool) -> set[str]:
    if part == "all":
        return set(parameters)
    key = GetAttrKey if ordered else DictKey
    paths = {name: (tuple(key(k) for k in name.split(".")), x) for name, x in parameters.items()}
    found = last_layer(paths)
    for name in found:
        if "parametrizations" in name.split(".") or name.rpartition(".")[2] in _NORMALISED:
            raise ValueError(
                f"model: the last layer is parametrised ({name}): dividing what its weight is "
                "computed from need not divide the weight; remove the parametrisation first"
            )
    return found
