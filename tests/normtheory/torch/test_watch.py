"""The watch on a module: which rows of which step, and nothing of the training changed."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import nn  # noqa: E402 # pyright: ignore[reportMissingImports]

from normtheory import Monitor  # noqa: E402
from normtheory.torch import _watch, watch  # noqa: E402


def encoder() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))


def batches(count: int, n: int = 12) -> list[Any]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 5, generator=generator) for _ in range(count)]


PROBE = batches(1, 20)[0]


def loss_of(z: Any) -> Any:
    return nn.functional.normalize(z.float())[:, 0].mean()


def sgd(model: Any, **options: Any) -> Any:
    return torch.optim.SGD(model.parameters(), **({"lr": 0.1} | options))


def test_records_are_those_of_a_monitor_by_hand_and_the_training_is_the_same():
    by_hand = Monitor(optimizer="sgd", weight_decay=0.01, every=2)
    plain, watched = encoder(), encoder()
    torch.manual_seed(7)
    optimizer = sgd(plain, weight_decay=0.01)
    for step, x in enumerate(batches(5)):
        z = plain(x)
        if by_hand.due(step):
            plain.eval()
            with torch.no_grad():
                probe = plain(PROBE)
            plain.train()
            value = loss_of(z)
            by_hand.update(z, step=step, learning_rate=0.1, loss=value, probe=probe)
        optimizer.zero_grad()
        loss_of(z).backward()
        optimizer.step()
    torch.manual_seed(7)
    optimizer, logged = sgd(watched, weight_decay=0.01), []
    seen = watch(
        watched, optimizer, probe=PROBE, every=2, log=lambda step, x: logged.append((step, x))
    )
    for x in batches(5):
        z = watched(x)
        seen.note(loss=loss_of(z))
        optimizer.zero_grad()
        loss_of(z).backward()
        optimizer.step()
    assert seen.monitor.settings == by_hand.settings
    assert seen.monitor.records == by_hand.records
    assert [step for step, _ in logged] == [0, 1, 2, 3, 4]
    for one, two in zip(plain.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def test_accumulated_passes_are_one_batch_and_others_are_none():
    model = encoder()
    optimizer, (x, y, other) = sgd(model), batches(3)
    with watch(model, optimizer, every=1) as seen:
        with torch.no_grad():
            model(other)
        model.eval()
        model(other)
        model.train()
        z = [model(x), model(y)]
        for part in z:
            loss_of(part).backward()
        wanted = Monitor(every=1, optimizer="sgd")
        wanted.update(torch.cat(z), step=0, learning_rate=0.1)
        optimizer.step()
    assert seen.monitor.records == wanted.records
    optimizer.step()  # after the end
    assert len(seen.monitor.records) == 1


def test_no_graph_is_kept_and_values_are_those_of_the_forward_pass():
    model = encoder()
    optimizer, x = sgd(model), batches(1)[0]
    with watch(model, optimizer, every=3) as seen:
        z = model(x)
        wanted = torch.linalg.vector_norm(z.detach(), dim=1).double().mean()
        rows = weakref.ref(z)
        assert not any(kept.requires_grad for kept in seen._outputs)
        loss_of(z).backward()
        z.detach().mul_(100)
        del z
        assert rows() is None
        optimizer.step()
        assert seen.monitor.records[0]["norm_mean"] == pytest.approx(float(wanted), rel=1e-6)
        model(x)
        assert seen._outputs == []  # nothing between looks


@pytest.mark.parametrize("outer", [True, False])
def test_a_compiled_module(outer):
    torch._dynamo.reset()
    found = []
    for compiled in (False, True):
        model = encoder()
        model[2].p = 0.0
        made = torch.compile(model, backend="eager") if compiled else model
        optimizer = sgd(model)
        with watch(made if outer else model, optimizer, probe=PROBE, every=2) as seen:
            for x in batches(3):
                loss_of(made(x)).backward()
                optimizer.step()
        found.append(seen.monitor.records)
    assert len(found[0]) == 3
    assert found[1] == [pytest.approx(record, rel=1e-5) for record in found[0]]


def test_under_autocast_rows_are_those_that_came_out():
    model = nn.Linear(5, 3)
    optimizer, x = sgd(model), batches(1)[0]
    with watch(model, optimizer, probe=PROBE) as seen:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z = model(x)
        assert z.dtype == torch.bfloat16
        loss_of(z).backward()
        optimizer.step()
    wanted = Monitor().update(z, step=0)
    assert wanted.items() <= seen.monitor.records[0].items()


def test_every_part_of_a_module_is_put_back_into_its_mode():
    model = encoder()
    model[1].eval()
    optimizer = sgd(model)
    with watch(model, optimizer, probe=PROBE) as seen:
        loss_of(model(PROBE)).backward()
        optimizer.step()
    assert len(seen.monitor.records) == 1
    assert [part.training for part in model] == [True, False, True, True]


def test_a_step_with_a_closure_is_looked_at_once_after_the_first_pass():
    model = nn.Linear(5, 3)
    optimizer, x = sgd(model), batches(1)[0]
    outputs = []

    def closure() -> Any:
        optimizer.zero_grad()
        outputs.append(model(x))
        value = loss_of(outputs[-1])
        value.backward()
        return value

    with watch(model, optimizer, probe=PROBE, every=1) as seen:
        for _ in range(2):
            optimizer.step(closure)
    assert [record["norm_50"] for record in seen.monitor.records] == [
        Monitor().update(z, step=0)["norm_50"] for z in outputs
    ]


@pytest.mark.parametrize("views", ["halves", "turns"])
def test_two_views_and_labels(views):
    model = nn.Linear(5, 3)
    optimizer, (x, y) = sgd(model), batches(2)
    labels = torch.arange(12) % 3
    with watch(model, optimizer, views=views) as seen:
        z = model(torch.cat([x, y])).chunk(2) if views == "halves" else (model(x), model(y))
        seen.note(labels=labels)
        loss_of(z[0] - z[1]).backward()
        optimizer.step()
    wanted = Monitor().update(z[0], step=0, second_view=z[1], labels=labels)
    assert {"alignment", "class_norm_2"} <= set(wanted)
    assert wanted.items() <= seen.monitor.records[0].items()


class Lion(torch.optim.Adam):
    """Named as those that people bring."""


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (sgd, {"optimizer": "sgd"}),
        (
            lambda m: sgd(m, momentum=0.8, weight_decay=0.1),
            {"optimizer": "momentum", "momentum": 0.8},
        ),
        (lambda m: sgd(m, momentum=0.8, nesterov=True), {"optimizer": None}),
        (
            lambda m: torch.optim.AdamW(m.parameters(), betas=(0.8, 0.95), weight_decay=0.1),
            {"optimizer": "adamw", "beta_1": 0.8, "beta_2": 0.95},
        ),
        (lambda m: torch.optim.Adam(m.parameters(), weight_decay=0.1), {"optimizer": "adam"}),
        (lambda m: Lion(m.parameters(), betas=(0.8, 0.9)), {"optimizer": "lion", "beta_2": 0.9}),
        (lambda m: torch.optim.RMSprop(m.parameters(), weight_decay=0.1), {"optimizer": None}),
    ],
)
def test_an_optimizer_says_what_it_is(make, wanted):
    model = nn.Linear(5, 3)
    optimizer = make(model)
    settings = watch(model, optimizer).monitor.settings
    assert {name: getattr(settings, name) for name in wanted} == wanted
    assert settings.weight_decay == optimizer.param_groups[0]["weight_decay"]


def test_the_rate_is_that_of_the_modules_group():
    model, head = nn.Linear(5, 3), nn.Linear(3, 2)
    groups = [{"params": head.parameters(), "lr": 9.0}, {"params": model.parameters()}]
    optimizer = torch.optim.SGD(groups, lr=0.1, weight_decay=0.2)
    with watch(model, optimizer, weight_decay=0.3) as seen:
        loss_of(model(batches(1)[0])).backward()
        optimizer.step()
    assert seen.monitor.records[0]["learning_rate"] == 0.1
    assert seen.monitor.settings.weight_decay == 0.3


def test_rows_of_all_processes_are_counted_and_the_first_one_records(monkeypatch):
    world = torch.distributed
    records = []
    for rank in (0, 1):
        monkeypatch.setattr(_watch, "several", lambda group, gather: "all")
        monkeypatch.setattr(world, "get_world_size", lambda group: 2)
        monkeypatch.setattr(world, "get_rank", lambda group, rank=rank: rank)
        model, (x, y) = nn.Linear(5, 3), batches(2, n=7)
        with torch.no_grad():
            other = _watch._Rows(model(y)[:4].numpy(), None, [5, 6, 5, 6], [3.0])

        def gather(found, mine, group, other=other):
            found[:] = [mine, other]

        monkeypatch.setattr(world, "all_gather_object", gather)
        optimizer = sgd(model)
        with watch(model, optimizer) as seen:
            z = model(x)
            seen.note(loss=torch.tensor(1.0), labels=[5] * 7)
            loss_of(z).backward()
            optimizer.step()
        records.append(seen.monitor.records)
        if rank == 0:
            wanted = Monitor().update(
                torch.cat([z.detach(), torch.tensor(other.z)]),
                step=0,
                loss=2.0,
                labels=[5] * 7 + [5, 6, 5, 6],
            )
            assert wanted.items() <= records[0][0].items()
    assert records[1] == []


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"module": "model"}, TypeError, "module: expected an nn.Module, got str"),
        (
            {"optimizer": None},
            TypeError,
            "optimizer: expected a torch.optim.Optimizer, got NoneType",
        ),
        ({"views": "both"}, ValueError, "views: expected 'halves', 'turns' or None, got 'both'"),
        ({"every": 0}, ValueError, "every: expected an integer >= 1, got 0"),
    ],
)
def test_a_wrong_call_is_named(change, error, text):
    model = nn.Linear(5, 3)
    with pytest.raises(error, match=f"^{text}"):
        watch(**({"module": model, "optimizer": sgd(model)} | change))


def test_an_output_that_is_no_matrix_is_named_in_the_first_pass():
    model = nn.Identity()
    layer = nn.Linear(5, 3)
    watch(model, sgd(layer))
    with pytest.raises(TypeError, match=r"^module: expected an output of shape \(n, d\) of "):
        model((layer(PROBE), None))
    with pytest.raises(TypeError, match="note: expected loss, scale or labels, got 'lr'"):
        watch(layer, sgd(layer)).note(lr=1.0)
    seen = watch(model, sgd(layer), select=lambda out: out["z"])
    seen._keep(model, (), {"z": layer(PROBE)})
    np.testing.assert_array_equal(seen._outputs[0], layer(PROBE).detach())
