"""A monitor on a module: its outputs are looked at when the optimizer is about to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import distributed, nn

from normtheory._arrays import check_kind, is_tensor
from normtheory.monitoring import Monitor
from normtheory.torch._optimizers import group_of, settings_of
from normtheory.torch._processes import several

__all__ = ["Watch", "watch"]

Tensor = Any  # torch.Tensor, which a checker without PyTorch doesn't know
_VIEWS = (None, "halves", "turns")


def watch(
    module: Any,
    optimizer: Any,
    *,
    probe: Any = None,
    every: int = 50,
    log: Callable[[int, dict[str, float]], object] | None = None,
    views: str | None = None,
    select: Callable[[Any], Tensor] | None = None,
    group: Any = None,
    **settings: Any,
) -> Watch:
    """Watch the norms of what a module puts out, in the steps in which a look is due.

    A step is one of the optimizer. Outputs of forward passes in training mode with gradients are
    pooled until then, so that accumulated gradients are one batch; those in ``eval`` mode or under
    ``no_grad`` don't count, and a step that a ``GradScaler`` skips is none. Between looks nothing
    is kept, and never a graph. With several processes the rows of all are pooled, and the first
    one records and logs. Under ``torch.compile`` watch what ``compile`` gives back.

    Rate, weight decay, betas and momentum are those of the optimizer's group with the module's
    parameters; SGD, Adam, AdamW and a ``Lion`` have predictions.

    Args:
        module: an ``nn.Module`` whose output is (n, d) embeddings, before their normalisation.
        optimizer: the ``torch.optim.Optimizer`` that trains it.
        probe: input of the module, the same in every look; or a function without arguments that
            gives embeddings. It is run in ``eval`` mode, without gradients, in two steps on end.
        every: steps between looks, >= 1.
        log: called with the step and the numbers, on the first process.
        views: "halves" if an output is the first views and then the second ones, "turns" if
            outputs are a first and a second view by turns; None where nothing is known.
        select: picks the embeddings out of an output that is more than a tensor.
        group: processes that hold one batch together; None for all.
        **settings: of :class:`normtheory.Monitor`, over what the optimizer says.

    Returns:
        The watch; ``watch.monitor`` has the records, ``watch.remove()`` ends it.

    Raises:
        TypeError, ValueError: no module or optimizer; another word; a setting out of range. In the
            first forward pass: an output that is no tensor (n, d) of floats.

    Example:
        >>> import torch
        >>> encoder = torch.nn.Linear(8, 4)
        >>> optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1, weight_decay=1e-3)
        >>> x = torch.randn(16, 8)
        >>> with watch(encoder, optimizer, probe=x, every=2) as seen:
        ...     for _ in range(4):
        ...         torch.nn.functional.normalize(encoder(x))[0, 0].backward()
        ...         optimizer.step()
        >>> [int(record["step"]) for record in seen.monitor.records]
        [0, 1, 2, 3]
    """
    check_kind("module", module, nn.Module, "an nn.Module")
    check_kind("optimizer", optimizer, torch.optim.Optimizer, "a torch.optim.Optimizer")
    if views not in _VIEWS:
        raise ValueError(f"views: expected 'halves', 'turns' or None, got {views!r}")
    found = settings_of(optimizer, group_of(optimizer, module))
    given: dict[str, Any] = {"every": every} | found | settings
    monitor = Monitor(**given)
    return Watch(module, optimizer, monitor, probe, log, views, select, group)


class _Rows(NamedTuple):
    """What processes have of a step: embeddings, second views, labels, losses."""

    z: np.ndarray
    second: np.ndarray | None
    labels: list[Any]
    losses: list[float]

    @staticmethod
    def joined(parts: Sequence[_Rows]) -> _Rows:
        """Those of all; a process may have none."""
        some = [part for part in parts if len(part.z)] or parts[:1]
        seconds = [part.second for part in some if part.second is not None]
        return _Rows(
            np.concatenate([part.z for part in some]),
            np.concatenate(seconds) if len(seconds) == len(some) else None,
            [label for part in some for label in part.labels],
            [loss for part in some for loss in part.losses],
        )


class Watch:
    """What :func:`watch` gives; also a context that ends it.

    Attributes:
        monitor: the :class:`normtheory.Monitor`; without records but on the first process.
        step: number of the optimizer's next step, from 0; set it where a run is taken up again.
    """

    def __init__(
        self,
        module: Any,
        optimizer: Any,
        monitor: Monitor,
        probe: Any,
        log: Any,
        views: str | None,
        select: Any,
        group: Any,
    ) -> None:
        """See :func:`watch`."""
        self.monitor, self.step = monitor, 0
        self._module, self._probe, self._log = module, probe, log
        self._views, self._select, self._group = views, select, group
        self._outputs: list[Tensor] = []
        self._said: dict[str, Any] = {}
        self._labels: list[Any] = []
        self._looked: int | None = None
        self._hooks = [
            module.register_forward_hook(self._keep),
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        ]

    def note(self, *, labels: Any = None, **said: Any) -> None:
        """Say more about the step that is being made: before ``optimizer.step()``.

        Args:
            labels: of the rows of the last forward pass; of the first views, if views are known.
            **said: ``loss`` and ``scale``, numbers or tensors of one.

        Raises:
            TypeError: another name.
        """
        unknown = set(said) - {"loss", "scale"}
        if unknown:
            raise TypeError(f"note: expected loss, scale or labels, got {min(unknown)!r}")
        if not self._due():
            return
        self._said |= {name: x.detach() if is_tensor(x) else x for name, x in said.items()}
        if labels is not None:
            self._labels.append(labels.detach().cpu() if is_tensor(labels) else labels)

    def remove(self) -> None:
        """Take the hooks away; the records stay."""
        for hook in self._hooks:
            hook.remove()
        self._outputs.clear()

    def __enter__(self) -> Watch:
        """The watch itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.remove()

    def _due(self) -> bool:
        every = self.monitor.settings.every
        # With a probe a step is seen whole: before it and after.
        again = self._probe is not None and self._looked == self.step - 1
        return self.step % every == 0 or (again and (self.step - 1) % every == 0)

    @torch.compiler.disable
    def _keep(self, module: Any, _: Any, output: Any) -> None:
        if not (module.training and torch.is_grad_enabled() and self._due()):
            return
        z = output if self._select is None else self._select(output)
        if not is_tensor(z) or z.ndim != 2 or not z.is_floating_point():
            got = f"shape {tuple(z.shape)}, {z.dtype}" if is_tensor(z) else type(z).__name__
            raise TypeError(
                f"module: expected an output of shape (n, d) of floats, got {got}; select= picks "
                "the embeddings out of it"
            )
        # A copy: what comes after may work in place.
        self._outputs.append(z.detach().clone())

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            self._look(optimizer)
            return None

        # The forward pass is made inside of the step, as Lightning does.
        def looked() -> Any:
            value = closure()
            self._look(optimizer)
            return value

        return args[:1], {**kwargs, "closure": looked}

    def _look(self, optimizer: Any) -> None:
        """Measure what is there before the weights move; of several closures the first counts."""
        if not self._due() or self._looked == self.step:
            return
        self._looked = self.step
        probe, said = self._run_probe(), self._said
        rows = self._gather(self._mine())
        if rows is None or not len(rows.z):
            return
        if rows.losses:
            said = said | {"loss": float(np.mean(rows.losses))}
        record = self.monitor.update(
            rows.z,
            step=self.step,
            learning_rate=float(group_of(optimizer, self._module)["lr"]),
            labels=rows.labels or None,
            second_view=rows.second,
            probe=probe,
            **said,
        )
        if self._log is not None:
            self._log(self.step, record)

    def _after_step(self, *_: Any) -> None:
        self._outputs.clear()
        self._said, self._labels = {}, []
        self.step += 1

    def _mine(self) -> _Rows:
        parts, others = [_numpy(z) for z in self._outputs], []
        if self._views == "halves":
            others = [z[len(z) // 2 :] for z in parts]
            parts = [z[: len(z) // 2] for z in parts]
        elif self._views == "turns":
            parts, others = parts[::2], parts[1::2]
        return _Rows(
            np.concatenate(parts) if parts else np.zeros((0, 0)),
            np.concatenate(others) if others else None,
            [label for part in self._labels for label in np.asarray(part).tolist()],
            [float(self._said["loss"])] if "loss" in self._said else [],
        )

    def _gather(self, mine: _Rows) -> _Rows | None:
        """The rows of all processes, on the first of them; None on the others."""
        group = several(self._group, gather=distributed.is_available())
        if group is None:
            return mine
        found: list[Any] = [None] * distributed.get_world_size(group)
        distributed.all_gather_object(found, mine, group=group)
        return _Rows.joined(found) if distributed.get_rank(group) == 0 else None

    def _run_probe(self) -> np.ndarray | None:
        """Embeddings of the probe, as the weights are before the step; modes are put back."""
        if self._probe is None:
            return None
        inner = _bare(self._module)
        modes = [(part, part.training) for part in inner.modules()]
        inner.eval()
        try:
            with torch.no_grad():
                output = self._probe() if callable(self._probe) else inner(self._probe)
        finally:
            for part, training in modes:
                part.training = training
        return _numpy(output if self._select is None else self._select(output))


def _bare(module: Any) -> Any:
    """A module without what compiles it, or has other processes wait for it."""
    if isinstance(module, nn.parallel.DistributedDataParallel):
        module = module.module
    return getattr(module, "_orig_mod", module)


def _numpy(z: Tensor) -> np.ndarray:
    """Values in float32 or float64."""
    z = z.detach()
    return (z if z.dtype == torch.float64 else z.float()).cpu().numpy()
