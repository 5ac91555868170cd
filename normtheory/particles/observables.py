"""Observables: what a run records. Add your own with :func:`observable`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from normtheory._arrays import check_count, check_kind, check_values, refuse_more
from normtheory._read import labels_of, real_numbers
from normtheory._types import Array
from normtheory.particles._given import several
from normtheory.particles._motion import length, radial_drift, torque, turned
from normtheory.particles._motion import rotation as turns
from normtheory.particles._tree import static, tree
from normtheory.particles._view import View, mean_distance
from normtheory.particles.optimizers import NORMALISED, Rule

__all__ = [
    "OBSERVABLES",
    "QUANTILES",
    "Observable",
    "class_norm",
    "frequency_norm",
    "observable",
    "option",
    "rotation",
]


QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Levels at which quantities of rows are recorded."""

_BLOCK = 1024  # rows of the similarity matrix of uniformity that exist at once


@tree
class Observable:
    """Something to record: ``function(view, **arrays)``.

    Attributes:
        arrays: what it needs beside the view, such as labels.
        name: of the variable in the result.
        function: of a :class:`normtheory.particles.View`; returns an array of fixed shape.
        dims: names of the axes of what it returns.
        units: of what it returns.
        long_name: in words.
        coords: ``((dim, values), ...)`` for axes that have coordinates.
    """

    arrays: dict[str, Any]
    name: str = static()
    function: Callable[..., Array] = static()
    dims: tuple[str, ...] = static(default=())
    units: str = static(default="1")
    long_name: str = static(default="")
    coords: tuple[tuple[str, tuple[Any, ...]], ...] = static(default=())

    def __call__(self, view: View) -> Array:
        """Its value at a state."""
        return self.function(view, **self.arrays)


def observable(
    name: str,
    function: Callable[..., Array],
    *,
    dims: tuple[str, ...] = (),
    units: str = "1",
    long_name: str = "",
    coords: Mapping[str, Any] | None = None,
    **arrays: Any,
) -> Observable:
    """An observable of your own.

    Args:
        name: of the variable in the result.
        function: ``function(view, **arrays)``, JAX code, to an array of fixed shape. Keep one
            function object: another one compiles anew.
        dims: names of its axes.
        units: of its values.
        long_name: in words.
        coords: coordinates of its axes, by name.
        **arrays: what else it needs.

    Raises:
        TypeError: not callable; a masked array among the arrays.

    Example:
        >>> import jax.numpy as jnp
        >>> centre = observable("centre", lambda view: view.positions[0].mean(0), dims=("axis",))
        >>> centre.dims
        ('axis',)
    """
    check_kind("name", name, str, "text")
    check_kind("function", function, Callable, "a callable")
    check_kind("coords", {} if coords is None else coords, Mapping, "values by the name of an axis")
    dims = several("dims", dims, str, "names of axes")
    for key, x in arrays.items():
        refuse_more(key, x)
    if name == "step" or "step" in dims:
        raise ValueError("name, dims: 'step' is the axis of the record itself")
    fixed = tuple((dim, tuple(np.asarray(x).tolist())) for dim, x in (coords or {}).items())
    return Observable(arrays, name, function, dims, units, long_name or name, fixed)


def _loss(view: View) -> Array:
    return view.loss


def _two(view: View) -> tuple[Array, Array]:
    if len(view.positions) < 2 or view.positions[0].shape != view.positions[1].shape:
        raise ValueError(
            "alignment, mean_cosine: expected two clouds of partners, got shapes "
            f"{[z.shape for z in view.positions]}"
        )
    return view.directions[0], view.directions[1]


def _alignment(view: View) -> Array:
    return 2 * mean_distance(*_two(view))


def _mean_cosine(view: View) -> Array:
    return 1 - mean_distance(*_two(view))


def _uniformity(view: View) -> Array:
    u = view.directions[0]
    n = len(u)
    block = min(n, _BLOCK)
    starts = jnp.arange(0, n, block, dtype=jnp.int32)

    def of_block(start: Array) -> Array:
        start = jnp.minimum(start, n - block)  # the last block overlaps the one before
        rows = start + jnp.arange(block, dtype=jnp.int32)
        some = jax.lax.dynamic_slice_in_dim(u, start, block)
        cosine = jnp.matmul(some, u.T, precision=jax.lax.Precision.HIGHEST)
        other = rows[:, None] != jnp.arange(n, dtype=jnp.int32)[None, :]
        terms = jnp.sum(jnp.where(other, jnp.exp(4 * (cosine - 1)), 0), axis=-1)
        return jnp.zeros(n, u.dtype).at[rows].set(terms)

    def add(total: Array, start: Array) -> tuple[Array, None]:
        return jnp.maximum(total, of_block(start)), None  # a row counted twice has one sum

    total, _ = jax.lax.scan(add, jnp.zeros(n, u.dtype), starts)
    return jnp.log(jnp.sum(total) / jnp.asarray(n * (n - 1), u.dtype))


def _positions(view: View) -> Array:
    shapes = [z.shape for z in view.positions]
    if len(set(shapes)) > 1:
        raise ValueError(f"positions: expected clouds of one shape, got shapes {shapes}")
    return jnp.stack(view.positions)


def _quantiles(rows: tuple[Array, ...]) -> Array:
    levels = jnp.asarray(QUANTILES, rows[0].dtype)
    return jnp.stack([jnp.quantile(x, levels) for x in rows])


def _norms(view: View) -> Array:
    return _quantiles(view.norms)


def _effective_rate(view: View) -> Array:
    rate, rule = view.learning_rate, view.system.optimizer
    factory = rule.factory if isinstance(rule, Rule) else None
    adaptive = factory in NORMALISED
    if not (rule is None or adaptive or factory is optax.trace):
        raise ValueError(
            "effective_learning_rate: expected SGD, momentum, adam or lion, whose speed is a "
            "formula of rate and norm; record angular_step instead"
        )

    def one(norm: Array) -> Array:
        if adaptive:
            return rate / norm
        if view.system.gradscale is None:
            return view.pair_rate / norm / norm
        return view.pair_rate * norm ** (jnp.asarray(view.system.gradscale, norm.dtype) - 2)

    return _quantiles(tuple(one(norm) for norm in view.norms))


def _angular_step(view: View) -> Array:
    return _quantiles(turned(view.positions, view.after))


def _modality_gap(view: View) -> Array:
    if len(view.positions) < 2:
        raise ValueError("modality_gap: expected two clouds, one a modality, got one")
    u, v = (jnp.mean(x, axis=0) for x in view.directions[:2])
    return length(u - v)


_QUANTILE = {"dims": ("cloud", "quantile"), "coords": (("quantile", QUANTILES),)}

OBSERVABLES: Mapping[str, Observable] = MappingProxyType(
    {
        made.name: made
        for made in (
            Observable({}, "loss", _loss, long_name="loss with its reduction"),
            Observable({}, "mean_cosine", _mean_cosine, long_name="mean cosine of partners"),
            Observable({}, "alignment", _alignment, long_name="mean of |u - v|^2 of partners"),
            Observable(
                {},
                "uniformity",
                _uniformity,
                long_name="log mean of exp(-2 |u - u'|^2) in the first cloud",
            ),
            Observable(
                {},
                "positions",
                _positions,
                ("cloud", "row", "axis"),
                long_name="embeddings of clouds of one shape",
            ),
            Observable({}, "norms", _norms, long_name="norm of a particle", **_QUANTILE),
            Observable(
                {},
                "effective_learning_rate",
                _effective_rate,
                long_name="rate of a pair times norm^(p-2), or rate over norm (adam, lion)",
                **_QUANTILE,
            ),
            Observable(
                {},
                "angular_step",
                _angular_step,
                units="rad",
                long_name="angle turned by the update to come",
                **_QUANTILE,
            ),
            Observable(
                {},
                "modality_gap",
                _modality_gap,
                long_name="distance of the mean directions of the first two clouds",
            ),
            Observable(
                {},
                "radial_drift",
                radial_drift,
                ("cloud", "part"),
                long_name="pull along (mean D) and across (root mean square s), times the norm",
                coords=(("part", ("radial", "tangential")),),
            ),
            Observable(
                {},
                "torque",
                torque,
                long_name="Frobenius norm of Z^T V - V^T Z, V the updates to come",
            ),
        )
    }
)
"""The observables that a run knows by name."""


def rotation(steps: int) -> Observable:
    """The angle by which a row turns in several updates, from the state on.

    Each record makes these updates ahead, with the draws that the run will have; nothing has to be
    remembered.

    Args:
        steps: k >= 1 updates; another number compiles nothing anew.

    Returns:
        Observable ``rotation`` over ``cloud`` and ``quantile``, radians; 0 for fresh clouds.

    Raises:
        TypeError, ValueError: not a count.
    """
    check_count("steps", steps, 1)
    return Observable(
        {"steps": np.int32(steps)},
        "rotation",
        _rotation,
        units="rad",
        long_name="angle turned by the next updates",
        **_QUANTILE,
    )


@dataclass(frozen=True)
class _Option:
    """A trained option by its name; equal to another of that name."""

    name: str

    def __call__(self, view: View) -> Array:
        options = view.options
        if self.name not in options:
            raise ValueError(
                f"{self.name}: expected a trained option, of {', '.join(options) or 'none'}"
            )
        return options[self.name]


def option(name: str) -> Observable:
    """A trained option of the loss, such as its temperature, as it is.

    Args:
        name: as in ``System.trained``.

    Returns:
        Observable with the name of the option.
    """
    return Observable({}, name, _Option(name), long_name=f"trained option {name}")


def _rotation(view: View, *, steps: Array) -> Array:
    return _quantiles(turns(view, steps))


def _group_norm(view: View, *, labels: Array, counts: Array) -> Array:
    norms = view.norms[0]
    if norms.shape != labels.shape:
        raise ValueError(
            f"labels, frequencies: expected one for each of {len(norms)} rows, got {len(labels)}"
        )
    total = jnp.zeros(len(counts), norms.dtype).at[labels].add(norms)
    return total / jnp.asarray(counts, norms.dtype)


_MOST_CLASSES = 2**20  # each record has a number for every one


def class_norm(labels: Any, classes: int | None = None) -> Observable:
    """The mean norm of every class, of the first cloud.

    Args:
        labels: integers (n,).
        classes: how many there are, up to 2**20; None for the largest label + 1.

    Returns:
        Observable ``class_norm`` over ``class``; NaN for a class without particles.

    Raises:
        TypeError, ValueError: not integers, or out of range (the index is named).
    """
    labels = np.asarray(labels_of("labels", labels, integers=True))
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"labels: expected shape (n,), got shape {labels.shape}")
    if classes is not None:
        check_count("classes", classes, 1, most=_MOST_CLASSES)
    check_values("labels", labels, least=0, most=(classes or _MOST_CLASSES) - 1)
    classes = int(labels.max()) + 1 if classes is None else int(classes)
    return _by_group("class", tuple(range(classes)), labels, "mean norm of a class")


def frequency_norm(frequencies: Any) -> Observable:
    """The mean norm of the rows that are drawn equally often, of the first cloud.

    Args:
        frequencies: of the rows, shape (n,), >= 0: those given to
            :func:`normtheory.particles.sampling.minibatch` or the probabilities of ``bernoulli``.

    Returns:
        Observable ``frequency_norm`` over ``frequency``, the different ones in ascending order.

    Raises:
        TypeError: not real numbers.
        ValueError: not of shape (n,), or out of range (the index is named).

    Example:
        >>> frequency_norm([0.5, 0.1, 0.5]).coords
        (('frequency', (0.1, 0.5)),)
    """
    values = real_numbers("frequencies", frequencies)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"frequencies: expected shape (n,), got shape {values.shape}")
    check_values("frequencies", values, least=0.0)
    levels, places = np.unique(values, return_inverse=True)
    name = "mean norm of rows of a frequency"
    return _by_group("frequency", tuple(levels.tolist()), places, name)


def _by_group(dim: str, levels: tuple[Any, ...], places: np.ndarray, about: str) -> Observable:
    """The mean norm of rows by the place of their level."""
    counts = np.bincount(places, minlength=len(levels)).astype(np.float64)
    return Observable(
        {"labels": places.astype(np.int32), "counts": counts},
        f"{dim}_norm",
        _group_norm,
        (dim,),
        long_name=about,
        coords=((dim, levels),),
    )


def chosen(record: Any) -> tuple[Observable, ...]:
    """Read names and observables.

    Raises:
        ValueError: an unknown name, or one twice.
        TypeError: something else.
    """
    found = []
    for item in several("record", record, str | Observable, "names and observables"):
        if isinstance(item, str):
            if item not in OBSERVABLES:
                raise ValueError(
                    f"record: expected observables or names of {', '.join(OBSERVABLES)}; "
                    f"got {item!r}"
                )
            item = OBSERVABLES[item]
        found.append(item)
    names = [item.name for item in found]
    if len(set(names)) < len(names):
        raise ValueError(f"record: expected different names, got {', '.join(names)}")
    return tuple(found)
