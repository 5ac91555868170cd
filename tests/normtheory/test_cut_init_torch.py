"""Cut-initialisation of PyTorch modules and state dicts."""

from __future__ import annotations

import re
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import normtheory as nt
from tests.helpers import PROPERTY

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
nn = torch.nn


def network(bias=True):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 4, bias=bias), nn.ReLU(), nn.Linear(4, 4, bias=bias), nn.ReLU(),
        nn.Linear(4, 2, bias=bias),
    )  # fmt: skip


@PROPERTY
@given(st.floats(0.1, 10.0), st.integers(1, 5))
def test_a_network_without_biases_shrinks_by_the_factor_to_the_number_of_layers(c, layers):
    torch.manual_seed(layers)
    model = nn.Sequential(
        *(m for _ in range(layers) for m in (nn.Linear(4, 4, bias=False), nn.ReLU()))
    ).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    before = model(x).detach()
    assert nt.cut_init(model, c) is model  # in place, as .half()
    torch.testing.assert_close(model(x), before / c**layers, rtol=1e-12, atol=0)


def test_an_optimizer_made_before_trains_the_cut_parameters():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    nt.cut_init(model, 3.0)
    assert optimizer.param_groups[0]["params"][0] is model[0].weight
    assert all(p.requires_grad and p.is_leaf for p in model.parameters())


def test_buffers_stay_and_gains_of_normalisation_are_divided():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    model.register_buffer("scale", torch.tensor(6.0))
    cut = nt.cut_init(model, 2.0)
    assert cut[1].weight.tolist() == [0.5] * 4
    assert cut[1].running_var.tolist() == [1.0] * 4
    assert float(cut.scale) == 6.0


class Tied(nn.Module):
    """Two layers with one weight, and two biases on one memory."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)
        self.second.weight = self.first.weight  # one parameter
        self.second.bias = nn.Parameter(self.first.bias.data)  # two on one memory
        for p in self.parameters():
            nn.init.constant_(p, 6.0)


def test_tied_parameters_are_divided_once():
    cut = nt.cut_init(Tied(), 2.0)
    assert {float(x) for p in cut.parameters() for x in p.detach().flatten()} == {3.0}
    state = nt.cut_init(Tied().state_dict(), 2.0)
    assert {float(x) for p in state.values() for x in p.flatten()} == {3.0}
    assert state["first.weight"] is state["second.weight"]
    # One of the two names of a tied weight in the last layer: loading must find one value.
    last = nt.cut_init(Tied().state_dict(), 2.0, part="last")
    assert float(last["first.weight"][0, 0]) == 3.0


def test_the_last_layer_of_a_module():
    model = nn.Sequential(network(), nn.BatchNorm1d(2))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    nt.cut_init(model, 4.0, part="last")
    changed = {k: v / before[k] for k, v in model.state_dict().items() if not v.equal(before[k])}
    assert set(changed) == {"0.4.weight", "0.4.bias"}
    assert {float(x) for v in changed.values() for x in v.flatten()} == {0.25}


def test_a_state_dict_is_a_new_one_and_loads():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    state = model.state_dict()
    old = {k: v.clone() for k, v in state.items()}
    cut = nt.cut_init(state, 2.0)
    assert type(cut) is OrderedDict
    assert vars(cut) == vars(state)  # its metadata, which loading reads
    assert all(state[k].equal(v) for k, v in old.items())
    statistics = {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    for name, value in cut.items():
        assert value.equal(old[name] if name in statistics else old[name] / 2)
    model.load_state_dict(cut)


def test_the_last_layer_of_a_state_dict_follows_the_module_or_the_numbers():
    eleven = nn.Sequential(*(nn.Linear(2, 2) for _ in range(11)))
    eleven.add_module("after", nn.Linear(2, 2))
    state = eleven.state_dict()
    cut = nt.cut_init(state, 2.0, part="last")
    assert {k for k in cut if not cut[k].equal(state[k])} == {"after.weight", "after.bias"}
    # As a file that sorts its names gives it back: "10" stands before "2".
    sorted_names = {k: state[k] for k in sorted(state) if "after" not in k}
    cut = nt.cut_init(sorted_names, 2.0, part="last")
    assert {k for k in cut if not cut[k].equal(state[k])} == {"10.weight", "10.bias"}
    with pytest.raises(ValueError, match=r"can't tell which of .* comes last"):
        nt.cut_init({k: state[k] for k in sorted(state)}, 2.0, part="last")


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_dtypes_are_kept(name):
    dtype = getattr(torch, name)
    model = nt.cut_init(nn.Linear(2, 2).to(dtype), 2.0)
    assert {p.dtype for p in model.parameters()} == {dtype}


def normalised():
    return nn.Sequential(
        nn.Linear(2, 2), torch.nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    )


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (nn.ReLU(), {}, TypeError, "model: expected floating-point parameters, got none in ReLU"),
        ({"n": torch.ones(2, dtype=torch.int64)}, {}, TypeError, "got none in the state dict"),
        (nn.LazyLinear(2), {}, ValueError, "model: weight has no values yet"),
        (nn.Linear(2, 2, device="meta"), {}, ValueError, "model: weight has no values yet"),
        (nn.BatchNorm1d(2), {"part": "last"}, ValueError, "expected a weight with two or more"),
        (normalised(), {"part": "last"}, ValueError, "the last layer is parametrised"),
        ([torch.ones(2, 2)], {}, TypeError, "or a PyTorch module or state dict, got list"),
        (nn.Linear(2, 2), {"part": "first"}, ValueError, "part: expected 'all' or 'last'"),
    ],
)
def test_errors(model, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        nt.cut_init(model, 3.0, **options)
