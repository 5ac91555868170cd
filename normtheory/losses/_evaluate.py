r"""What every loss of directions shares, written once.

A loss of this package sees its embeddings through their directions only. So its file states the
value and ∂ℓ/∂û for every cloud, its slope, and everything else follows: ∇_z = P_z (∂ℓ/∂û)/‖z‖, the
slope projected onto the tangent and divided by the norm.

Claim :mod:`normtheory.claims.inverse_norm_gradient`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from normtheory._types import Array
from normtheory.losses._definition import Definition
from normtheory.losses._namespace import Namespace
from normtheory.sphere import dot, reject, scaled


class Evaluated(NamedTuple):
    """A loss at one place.

    Attributes:
        value: a scalar.
        clouds: ∇_z of the clouds that were asked for, in the order of the loss.
        options: the derivatives that were asked for, in the order of the loss.
    """

    value: Array
    clouds: tuple[Array, ...]
    options: tuple[Array, ...]


class _Frame(NamedTuple):
    """An embedding taken apart: direction, embedding near 1, its norm, the power of two."""

    direction: Array
    near: Array
    norm: Array
    power: Array


def _frame(xp: Any, z: Array) -> _Frame:
    near, power = scaled(xp, z)
    norm = xp.sqrt(dot(xp, near, near))
    return _Frame(near / norm, near, norm, power)


def _gradient(xp: Any, slope: Array, frame: _Frame) -> Array:
    near, power = scaled(xp, slope)
    return reject(xp, near, frame.near) / frame.norm / frame.power * power


def evaluate(
    loss: Definition, xp: Namespace, clouds: tuple[Array, ...], options: Mapping[str, Any]
) -> Evaluated:
    """Value and closed-form derivatives of a loss, of arrays of one library and dtype.

    Raises:
        TypeError: the slope leaves out a derivative that the loss declares.
    """
    frames = [_frame(xp, z) for z in clouds]
    out = loss.slope(xp, *(frame.direction for frame in frames), **options)
    gradients = tuple(
        _gradient(xp, _stated(loss, out.clouds, cloud.name), frame)
        for cloud, frame in zip(loss.clouds, frames, strict=True)
        if cloud.name in xp.wanted
    )
    return Evaluated(
        out.value,
        gradients,
        tuple(
            _stated(loss, out.options, option.name)
            for option in loss.options
            if option.name in xp.wanted
        ),
    )


def _stated(loss: Definition, found: Mapping[str, Array], name: str) -> Array:
    if name not in found:
        raise TypeError(
            f"{loss.name}: its slope states no derivative with respect to {name}, which is trained"
        )
    return found[name]
