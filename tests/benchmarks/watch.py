"""What ``normtheory.torch.watch`` adds to a training, as a share of its steps.

Run it with ``python -m tests.benchmarks.watch``; it needs PyTorch. A step of a small ResNet under
NT-Xent, two views of every image, is timed without a watch, with one that has nothing to do, and
with one that looks (at the batch, and at the probe) in every step. A watch that looks every k
steps does so in two of them.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]

from normtheory.torch import NTXentLoss, watch
from tests.benchmarks._report import machine, show, table
from tests.benchmarks._timing import in_turn, milliseconds


class Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        """See the class."""
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Any) -> Any:
        """Add the two."""
        return torch.relu(x + self.inside(x))


def encoder(width: int, dimension: int) -> Any:
    """Images (n, 3, 32, 32) to embeddings (n, dimension)."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2, padding=1),
        *(Block(width) for _ in range(3)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, dimension),
    )


class Training:
    """An encoder, its optimizer and a batch; a call is a step."""

    def __init__(self, asked: argparse.Namespace, every: int | None) -> None:
        """Watch ``every`` so many steps, with a probe; None for no watch at all."""
        torch.manual_seed(0)
        self.encoder = encoder(asked.width, asked.dimension)
        self.loss = NTXentLoss(temperature=0.5)
        self.optimizer = torch.optim.AdamW(self.encoder.parameters(), lr=1e-3)
        self.x = torch.randn(2 * asked.batch, 3, 32, 32)
        if every is not None:
            probe = torch.randn(asked.probe, 3, 32, 32)
            seen = watch(self.encoder, self.optimizer, probe=probe, every=every, views="halves")
            seen.step = 1  # the first step would be a look

    def __call__(self) -> None:
        """One step."""
        self.optimizer.zero_grad()
        self.loss(*self.encoder(self.x).chunk(2)).backward()
        self.optimizer.step()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--probe", type=int, default=128)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    ways = {"no watch": None, "nothing to do": 10**9, "a look": 1}
    trainings = {name: Training(asked, every) for name, every in ways.items()}
    times = in_turn(trainings, asked.rounds, time.process_time)
    plain, idle, look = times.values()
    # Between looks a watch counts, in microseconds: less than what other programs add to a step.
    step, k = min(plain, idle), asked.every
    show(
        machine("torch", "numpy"),
        f"{asked.batch} pairs of images, probe of {asked.probe}, d = {asked.dimension}, AdamW.",
        "",
        table(["a step", "ms"], [[name, milliseconds(found)] for name, found in times.items()]),
        f"A look takes {milliseconds(look - step)} ms; two in {k} steps add "
        f"{2 * (look - step) / (k * step):.1%}.",
    )


if __name__ == "__main__":
    main()
