"""Losses of PyTorch tensors: ``backward`` takes the closed form, which the forward pass computes.

No graph is kept and no n × n matrix: what a backward pass needs is the gradient itself, of the size
of the clouds. Under autocast, and for bfloat16 and float16 clouds, everything is computed in
float32, and the gradient comes back in the dtype of the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import array_api_compat.torch as api
import torch  # pyright: ignore[reportMissingImports]
from torch import distributed  # pyright: ignore[reportMissingImports]

from normtheory._arrays import is_wrapped, torch_ready
from normtheory.losses._definition import Definition
from normtheory.losses._door import check_batch
from normtheory.losses._evaluate import Evaluated, evaluate
from normtheory.losses._namespace import Namespace, Softmax, Step

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know


class Share(NamedTuple):
    """Which rows of the joined batch a process has.

    Attributes:
        group: the processes.
        first: number of its first row.
        own: how many rows it has.
        n: rows of all processes.
    """

    group: Any
    first: int
    own: int
    n: int

    def of(self, count: int) -> Share:
        """The same for another number of rows, a multiple of n: both views, one after the other."""
        times = count // self.n
        return Share(self.group, times * self.first, times * self.own, times * self.n)


@dataclass(frozen=True)
class TorchNamespace(Namespace):
    """PyTorch, with loops in Python and blocks overwritten in place.

    Attributes:
        share: the rows of this process, where several have parts of one batch.
    """

    api: Any = api
    share: Share | None = None

    def added(self, carried: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """``carried`` plus the matrix product of x and y, in place where vmap allows it."""
        if is_wrapped(x) or is_wrapped(y):  # carried may be shared by all that vmap goes over
            return torch.addmm(carried, x, y)
        return carried.addmm_(x, y)

    def powers(self, x: Tensor, top: Tensor, *, spoil: bool = False) -> Tensor:
        """exp(x - top)."""
        return (x.sub_(top) if spoil else x - top).exp_()

    def dots(self, x: Tensor, y: Tensor) -> Tensor:
        """Σ_b x_ab y_ab of every row, without their products in memory."""
        return torch.linalg.vecdot(x, y)

    def indices(self, count: int, like: Tensor) -> Tensor:
        """0 … count - 1, on the device of ``like``."""
        return torch.arange(count, device=like.device)

    def sigmoid(self, x: Tensor) -> Tensor:
        """1/(1 + exp(-x))."""
        return torch.sigmoid(x)

    def softplus(self, x: Tensor) -> Tensor:
        """log(1 + exp x), which PyTorch replaces by x beyond a threshold."""
        beyond = 40.0 if x.dtype == torch.float64 else 20.0  # exp(-x) is below eps x there
        return torch.nn.functional.softplus(x, threshold=beyond)

    def filled(self, x: Tensor, value: float, *columns: Tensor) -> Tensor:
        """``x`` with a value in one column of every row, in place."""
        for column in columns:
            x.scatter_(1, column[:, None], value)
        return x

    def softmax(self, x: Tensor) -> Softmax:
        """The softmax of every row, in place."""
        top = torch.amax(x, dim=-1)
        powers = self.powers(x, top[:, None], spoil=True)
        total = torch.sum(powers, dim=-1)
        return Softmax(top, total, powers, total[:, None])

    def over_rows(
        self,
        step: Step,
        rows: Sequence[Tensor],
        carried: Any,
        combine: Callable[[Any], Any] | None = None,
    ) -> tuple[Any, tuple[Tensor, ...]]:
        """Go through the rows of this process in a Python loop, and join what all found."""
        n = len(rows[0])
        share = None if self.share is None else self.share.of(n)
        first, last = (0, n) if share is None else (share.first, share.first + share.own)
        size = last - first if self.block is None else min(self.block, last - first)
        numbers = torch.arange(n, device=rows[0].device)
        found = []
        for start in range(first, last, size) if size else ():
            end = min(start + size, last)
            carried, block = step(carried, numbers[start:end], *(x[start:end] for x in rows))
            found.append(block)
        parts = tuple(torch.cat(blocks) for blocks in zip(*found, strict=True))
        if share is None:
            return carried, parts
        return self._combined(carried, combine), tuple(_joined(x, share) for x in parts)

    def _combined(self, carried: Any, combine: Callable[[Any], Any] | None) -> Any:
        if combine is not None:
            return combine(carried)
        if isinstance(carried, tuple):
            return tuple(self.sum_over(x) for x in carried)
        return None if carried is None else self.sum_over(carried)

    def greatest_over(self, x: Tensor) -> Tensor:
        """The largest that processes hold, entry by entry."""
        return x if self.share is None else _reduced(x, distributed.ReduceOp.MAX, self.share.group)

    def sum_over(self, x: Tensor) -> Tensor:
        """The sum of what processes hold."""
        return x if self.share is None else _reduced(x, distributed.ReduceOp.SUM, self.share.group)


def _reduced(x: Tensor, how: Any, group: Any) -> Tensor:
    x = x.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(x, how, group=group)
    return x


def _joined(x: Tensor, share: Share) -> Tensor:
    """The rows of all processes, of which this one has ``x``: uneven parts are added up."""
    whole = torch.zeros((share.n, *x.shape[1:]), dtype=x.dtype, device=x.device)
    whole[share.first : share.first + share.own] = x
    distributed.all_reduce(whole, group=share.group)
    return whole


def _counts(rows: int, device: Any, group: Any) -> list[int]:
    """How many rows every process of a group says it has."""
    counts = torch.zeros(distributed.get_world_size(group), dtype=torch.int64, device=device)
    counts[distributed.get_rank(group)] = rows
    distributed.all_reduce(counts, group=group)
    return counts.tolist()


def _share(rows: int, device: Any, group: Any) -> Share:
    """Ask all processes of a group how many rows they have.

    Raises:
        RuntimeError: a process has refused its part.
    """
    parts = _counts(rows, device, group)
    if min(parts) < 0:
        who = [rank for rank, count in enumerate(parts) if count < 0]
        raise RuntimeError(f"ranks {who} of the group refused their part of the batch; see there")
    rank = distributed.get_rank(group)
    return Share(group, sum(parts[:rank]), rows, sum(parts))


def refuse(z: Tensor, group: Any) -> None:
    """Tell the others, who ask for the number of rows, that this process has an error."""
    _counts(-1, z.device, group)


class _Once(torch.autograd.Function):
    """A gradient as it is, behind which there is no derivative, whatever it was made of."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, *inputs: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(
            "a normtheory loss was differentiated twice in PyTorch, which knows its first "
            "derivative only; use JAX arrays for second derivatives"
        )


class _Loss(torch.autograd.Function):
    """A loss with its closed form: tensors in, the value out, and the derivatives beside it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(evaluated: Callable[..., Evaluated], *tensors: Tensor) -> Any:
        found = evaluated(*tensors)
        return found.value, *found.clouds, *found.options

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, *derivatives = output
        ctx.mark_non_differentiable(*derivatives)
        ctx.set_materialize_grads(False)
        ctx.wanted = inputs[0].wanted
        # An input, too: a gradient of the gradient would have to go there.
        ctx.save_for_backward(inputs[1 + ctx.wanted.index(True)], *derivatives)

    @staticmethod
    def backward(ctx: Any, *seeds: Any) -> Any:
        seed = seeds[0]
        source, *saved = ctx.saved_tensors
        derivatives = iter(saved)
        found = []
        for wanted in ctx.wanted:
            if not wanted or seed is None:
                found.append(None)
                continue
            product = next(derivatives) * seed
            # With create_graph=True a second derivative may be asked for, through seed or source.
            found.append(_Once.apply(product, seed, source) if torch.is_grad_enabled() else product)
        return None, *found


class _Evaluation:
    """What :class:`_Loss` calls: a loss of tensors, clouds and options, the rest fixed.

    Attributes:
        wanted: for every tensor, whether its derivative is asked for.
    """

    def __init__(
        self,
        loss: Definition,
        clouds: tuple[Tensor, ...],
        options: dict[str, Tensor],
        flags: Mapping[str, bool],
        block: int | None,
        group: Any,
        names: frozenset[str],
    ) -> None:
        self._loss, self._flags, self._block, self._group = loss, flags, block, group
        self._keys = tuple(options)
        self._names = names
        self.tensors = (*clouds, *options.values())
        self.wanted = [c.name in names for c in loss.clouds] + [k in names for k in self._keys]

    def __call__(self, *tensors: Tensor) -> Evaluated:
        """Value and derivatives, those of the options in the order of the tensors."""
        loss = self._loss
        clouds, numbers = tensors[: len(loss.clouds)], tensors[len(loss.clouds) :]
        options = dict(zip(self._keys, numbers, strict=True))
        with torch.no_grad(), torch.autocast(clouds[0].device.type, enabled=False):
            if self._group is None:
                xp = TorchNamespace(block=self._block, wanted=self._names)
                found = evaluate(loss, xp, clouds, {**options, **self._flags})
            else:
                found = self._of_all(clouds, options)
        order = [option.name for option in loss.options if option.name in self._names]
        by_name = dict(zip(order, found.options, strict=True))
        given = zip(self._keys, numbers, strict=True)
        return found._replace(
            options=tuple(by_name[key].reshape(x.shape) for key, x in given if key in self._names)
        )

    def _of_all(self, clouds: tuple[Tensor, ...], options: dict[str, Tensor]) -> Evaluated:
        """The loss of the joined batch; of the gradients of split clouds this process's rows."""
        loss = self._loss
        share = _share(len(clouds[0]), clouds[0].device, self._group)
        split = [c.rows == loss.clouds[0].rows for c in loss.clouds]
        joined = tuple(
            _joined(z, share) if parts else z for z, parts in zip(clouds, split, strict=True)
        )
        rows = {option.name for option in loss.options if option.per_row}
        options = {key: _joined(x, share) if key in rows else x for key, x in options.items()}
        check_batch(loss, joined, options)
        xp = TorchNamespace(block=self._block, wanted=self._names, share=share)
        found = evaluate(loss, xp, joined, {**options, **self._flags})
        trained = [
            parts for parts, c in zip(split, loss.clouds, strict=True) if c.name in self._names
        ]
        mine = slice(share.first, share.first + share.own)
        gradients = tuple(
            g[mine] if parts else g for g, parts in zip(found.clouds, trained, strict=True)
        )
        return found._replace(clouds=gradients)


def _prepared(
    clouds: tuple[Tensor, ...], options: Mapping[str, Any]
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Clouds and real options in the dtype of the computation and on one device.

    Differentiable: gradients come back in the dtype, shape and place of what was given.
    """
    first = clouds[0]
    dtype = torch.float64 if first.dtype == torch.float64 else torch.float32

    def one(x: Any) -> Tensor:
        if isinstance(x, float | int):  # not by the default dtype, which would round it
            return torch.tensor(x, dtype=dtype, device=first.device)
        x = torch.as_tensor(torch_ready(x), device=first.device)
        if x.is_floating_point() or not x.ndim:
            x = x.to(dtype)
        return x

    return tuple(z.to(dtype) for z in clouds), {name: one(x) for name, x in options.items()}


def value(
    loss: Definition,
    clouds: tuple[Tensor, ...],
    options: Mapping[str, Any],
    flags: Mapping[str, bool],
    block: int | None,
    group: Any = None,
) -> Tensor:
    """The loss, as a function that PyTorch differentiates by the closed form."""
    wide, given = _prepared(clouds, options)
    named = {**{c.name: z for c, z in zip(loss.clouds, wide, strict=True)}, **given}
    graph = torch.is_grad_enabled()
    wanted = frozenset(n for n, x in named.items() if graph and x.requires_grad)
    wanted &= loss.derivatives
    evaluated = _Evaluation(loss, wide, given, flags, block, group, wanted)
    if not wanted:
        return evaluated(*evaluated.tensors).value
    return _Loss.apply(evaluated, *evaluated.tensors)[0]


def differentiate(
    loss: Definition,
    clouds: tuple[Tensor, ...],
    options: Mapping[str, Any],
    flags: Mapping[str, bool],
    block: int | None,
    wanted: frozenset[str],
    group: Any = None,
) -> Evaluated:
    """Value and derivatives, detached; gradients come back in the dtype of the clouds."""
    wide, given = _prepared(clouds, options)
    with torch.no_grad():
        evaluated = _Evaluation(loss, wide, given, flags, block, group, wanted)
        found = evaluated(*evaluated.tensors)
    return found._replace(clouds=tuple(g.to(clouds[0].dtype) for g in found.clouds))
