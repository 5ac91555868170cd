"""One of several processes with parts of one batch: ``RANK WORLD PORT FILE``.

Started by ``test_processes``; what it finds goes to a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import distributed

import normtheory as nt
from normtheory import torch as modules
from normtheory.losses import LOSSES, Loss

N, D = 8, 3
PARTS = {1: (8,), 2: (6, 2), 3: (4, 1, 3)}
"""Rows of every rank: uneven, and once a single one."""

SMALL = {"info_nce": 0.002, "clip": 0.002, "nt_xent": 0.002, "decoupled": 0.002}
"""Losses that are run at a small temperature too; 1/τ = 500."""


def part(x: Any, rank: int, world: int) -> Any:
    """The rows of a rank."""
    first = sum(PARTS[world][:rank])
    return x[first : first + PARTS[world][rank]]


def drawn(name: str) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    """The batch of a loss, with three positives of one class far apart."""
    clouds, options = LOSSES[name].example(np.random.default_rng(5), N, D)
    if name == "supcon":  # ranks with one label of a kind each: no positives of their own
        options["labels"] = np.array([0, 1, 2, 3, 4, 5, 0, 1])
    return clouds, options


def own(loss: Loss, clouds: Any, options: dict[str, Any], rank: int, world: int) -> Any:
    """What a rank has of clouds and options."""
    rows = {o.name for o in loss.options if o.per_row}
    return (
        [
            torch.tensor(part(z, rank, world) if cloud.rows == "n" else z).requires_grad_()
            for cloud, z in zip(loss.clouds, clouds, strict=True)
        ],
        {name: part(x, rank, world) if name in rows else x for name, x in options.items()},
    )


def one(name: str, rank: int, world: int, **extra: Any) -> dict[str, Any]:
    """Value and all derivatives by ``backward``, for the rows of this rank."""
    loss = LOSSES[name]
    clouds, options = drawn(name)
    options |= {key: extra.pop(key) for key in ("temperature",) if key in extra}
    z, given = own(loss, clouds, options, rank, world)
    numbers = {
        o.name: torch.tensor(given.get(o.name, o.default), dtype=torch.float64).requires_grad_()
        for o in loss.options
        if o.trained
    }
    value = loss(*z, **(given | numbers), **extra, group=distributed.group.WORLD)
    value.backward()
    closed = loss.gradient(*z, **given, **extra, group=distributed.group.WORLD)
    for index, gradient in zip(loss.trained, closed, strict=True):
        assert torch.equal(gradient, z[index].grad), name
    return {
        "value": value.item(),
        "clouds": [None if x.grad is None else x.grad.numpy() for x in z],
        "options": {key: x.grad.item() for key, x in numbers.items() if x.grad is not None},
    }


class Trained(torch.nn.Module):
    """An encoder, a scale, a bias, and what is computed of two views and labels."""

    def __init__(self, loss: Callable[..., Any], head: torch.nn.Module | None = None) -> None:
        super().__init__()
        start = torch.Generator().manual_seed(3)
        self.encoder = torch.nn.Linear(4, D, dtype=torch.float64)
        with torch.no_grad():
            for x in self.encoder.parameters():
                x.copy_(torch.randn(x.shape, generator=start, dtype=torch.float64))
        self.log_scale = torch.nn.Parameter(torch.tensor(1.2, dtype=torch.float64))
        self.bias = torch.nn.Parameter(torch.tensor([-2.0], dtype=torch.float64))
        self.head = head
        self.loss = loss

    def forward(self, x: Any, y: Any, labels: Any) -> Any:
        """The loss of this rank's rows; every parameter takes part."""
        unused = 0 * (self.log_scale + self.bias).sum()
        return unused + self.loss(self, self.encoder(x), self.encoder(y), labels)


def head(make: Any) -> torch.nn.Module:
    """A head with the same weights on every rank."""
    found = make.double()
    with torch.no_grad():
        found.weight.copy_(torch.tensor(np.random.default_rng(2).standard_normal((5, D))))
    return found


def trained(world: int) -> dict[str, Trained]:
    """Modules, on one process or on several."""
    several: dict[str, Any] = {"gather_distributed": world > 1}
    dense, blocks = (
        modules.ClipLoss(world_size=world),
        modules.SigLipLoss(world_size=world, block=2),
    )
    views = modules.NTXentLoss(0.3, **several)
    decoupled, supervised = modules.DCLLoss(0.3, **several), modules.SupConLoss(0.3, **several)
    cosine = modules.NegativeCosineSimilarity(**several)
    arcface = head(modules.ArcFaceLoss(5, D, scale=4.0, **several))
    parts = modules.SwaVLoss(0.3, sinkhorn_gather_distributed=world > 1)
    prototypes = torch.nn.Linear(D, 5, bias=False, dtype=torch.float64)
    head(prototypes)

    def by_hand(self: Trained, z: Any, y: Any, labels: Any) -> Any:
        t = 1 / self.log_scale.exp()
        if world == 1:
            return nt.losses.info_nce(z, y, temperature=t)
        t = t.detach() * (1 - 1 / world) + t / world
        group = distributed.group.WORLD
        return world * nt.losses.info_nce(z, y, temperature=t, group=group)

    return {
        "clip": Trained(lambda self, z, y, _: dense(z, y, self.log_scale.exp(), self.bias)),
        "siglip": Trained(lambda self, z, y, _: blocks(z, y, self.log_scale.exp(), self.bias)),
        "nt_xent": Trained(lambda self, z, y, _: views(z, y)),
        "dcl": Trained(lambda self, z, y, _: decoupled(z, y)),
        "supcon": Trained(lambda self, z, y, labels: supervised(z, labels)),
        "cosine": Trained(lambda self, z, y, _: cosine(z, y.detach())),
        "arcface": Trained(lambda self, z, y, labels: self.head(z, labels), arcface),  # type: ignore
        "swav": Trained(lambda self, z, y, _: parts([z, y], [], self.head.weight), prototypes),  # type: ignore
        "by hand": Trained(by_hand),
    }


def averaged(name: str, rank: int, world: int) -> dict[str, Any]:
    """Gradients of all parameters after DistributedDataParallel has averaged them."""
    rng = np.random.default_rng(1)
    x, y = (torch.tensor(rng.standard_normal((N, 4))) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3, 4, 4, 0, 1])
    model: Any = trained(world)[name]
    spread = torch.nn.parallel.DistributedDataParallel(model) if world > 1 else model
    value = spread(*(part(a, rank, world) for a in (x, y, labels)))
    value.backward()
    return {
        "value": value.item(),
        "gradients": {key: p.grad.numpy() for key, p in model.named_parameters()},
    }


def message(act: Callable[[], Any]) -> str:
    """What an error says."""
    try:
        act()
    except (ValueError, RuntimeError) as error:
        return str(error)
    return ""


def main(rank: int, world: int, port: str, file: str) -> None:
    """All cases."""
    distributed.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=1800),
    )
    torch.set_num_threads(1)
    group = distributed.group.WORLD
    z = torch.ones((PARTS[world][rank], D)) + rank
    found = {
        "dense": {name: one(name, rank, world) for name in LOSSES},
        "blocks": {n: one(n, rank, world, block=2) for n, loss in LOSSES.items() if loss.all_pairs},
        "small": {n: one(n, rank, world, temperature=t, block=3) for n, t in SMALL.items()},
        "averaged": {name: averaged(name, rank, world) for name in trained(world)},
        # Judged of the whole batch, and so by all ranks alike: nobody waits for another.
        "errors": [
            message(lambda: nt.losses.supcon(z, torch.arange(len(z)) + 10 * rank, group=group)),
            # Seen by one rank alone, which tells the others.
            message(lambda: nt.losses.uniformity(z * (rank != 1), group=group)),
            message(lambda: modules.NTXentLoss(group=group)(z, z[:, : D - (rank == 1)])),
        ],
    }
    distributed.barrier()
    distributed.destroy_process_group()
    torch.save(found, file)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
