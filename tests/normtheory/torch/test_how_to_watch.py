"""What the page on watching a training shows runs, with Lightning where it is installed."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import jax
import pytest

from tests.conftest import NEEDS, ROOT

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

PAGE = (ROOT / "docs" / "how-to" / "watch-a-training.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def run(*words: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run the blocks with these words in them, in the order of the page."""
    for block in BLOCKS:
        if any(word in block for word in words):
            exec(compile(block, "watch-a-training.md", "exec"), names)
    return names


@pytest.mark.slow
def test_the_loops_run_and_give_what_the_page_names(tmp_path: Path, monkeypatch: Any):
    monkeypatch.chdir(tmp_path)
    names = run("torch.optim.AdamW", "import normtheory as nt", names={"__name__": "page"})
    assert [int(x["step"]) for x in names["seen"].monitor.records] == [0, 1, 10, 11, 20]
    assert names["logged"][-1]["alignment"] > 0
    assert (tmp_path / "norms.html").stat().st_size > 10_000
    by_hand = names["monitor"].records
    assert [int(x["step"]) for x in by_hand] == [0, 1, 10, 11, 20, 21]
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    found = {name for record in [*by_hand, *names["logged"]] for name in record}
    assert named - {"class_norm_"} <= found


@pytest.mark.slow
def test_the_loop_of_optax_and_equinox_runs():
    import normtheory as nt

    # optax adapts dtypes in silence, which our tests forbid elsewhere.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        names = run("import optax", names={"__name__": "page", "nt": nt})
    assert [int(x["step"]) for x in names["monitor"].records] == [0, 1, 5, 6, 10]
    assert names["record"]["turn_lag"] > 0


def test_the_callback_by_the_names_of_its_hooks(monkeypatch: Any):
    stub: Any = types.ModuleType("pytorch_lightning")
    stub.Callback = object
    monkeypatch.setitem(sys.modules, "pytorch_lightning", stub)
    from normtheory.torch import watch

    callback = run("pl.Callback", names={"__name__": "page", "watch": watch})["Norms"](
        torch.randn(10, 5), every=2
    )
    encoder = torch.nn.Linear(5, 3)
    optimizer, logged = torch.optim.SGD(encoder.parameters(), lr=0.1), []
    logger = types.SimpleNamespace(log_metrics=lambda record, step: logged.append((step, record)))
    trainer = types.SimpleNamespace(optimizers=[optimizer], logger=logger)
    module = types.SimpleNamespace(encoder=encoder)

    def closure() -> Any:
        optimizer.zero_grad()
        value = torch.nn.functional.normalize(encoder(torch.randn(6, 5)))[:, 0].mean()
        value.backward()
        return value

    callback.on_train_start(trainer, module)
    for _ in range(3):
        optimizer.step(closure)
    callback.on_train_end(trainer, module)
    optimizer.step(closure)
    assert [step for step, _ in logged] == [0, 1, 2]
    assert logged[1][1]["turn"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_callback_in_lightning(tmp_path: Path):
    if not NEEDS["torch"].demanded:  # where it is demanded, .ci/run has installed Lightning too
        pytest.importorskip("pytorch_lightning")
    import pytorch_lightning as pl  # pyright: ignore[reportMissingImports]

    from normtheory.torch import watch

    class Model(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = torch.nn.Linear(5, 3)

        def training_step(self, batch: Any, _: int) -> Any:
            return torch.nn.functional.normalize(self.encoder(batch[0]))[:, 0].mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=1e-2)

    callback = run("pl.Callback", names={"__name__": "page", "watch": watch})["Norms"](
        torch.randn(10, 5), every=2
    )
    rows = torch.utils.data.TensorDataset(torch.randn(48, 5))
    trainer = pl.Trainer(
        max_epochs=1,
        accumulate_grad_batches=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[callback],
    )
    trainer.fit(Model(), torch.utils.data.DataLoader(rows, batch_size=8))
    records = callback.watch.monitor.records
    assert [int(x["step"]) for x in records] == [0, 1, 2]
    assert records[1]["turn"] > 0
    assert callback.watch.monitor.settings.optimizer == "adamw"
