"""Claims that several processes share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from normtheory import claims, cli
from normtheory import verify as verify_module
from normtheory.verify import _verify, verify

SMALL: dict[str, Any] = {"points": 4, "dimensions": (3,)}
NAMES = ("norm_equalising", "fixed_keys")


def _plain(report: Any) -> dict[str, Any]:
    """A report without its times."""
    found = json.loads(json.dumps(report.to_dict()))
    for part in (found, *found["claims"]):
        del part["seconds"]
    return found


def test_results_have_the_order_of_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def backwards(make: Callable[[], Any], names: Sequence[str], jobs: int) -> Iterator[Any]:
        asked.append(jobs)
        call = make()
        for place in reversed(range(len(names))):
            yield place, call(names[place])

    monkeypatch.setattr(_verify, "shared", backwards)
    together = verify(NAMES, jobs=2, **SMALL)
    alone = verify(NAMES, **SMALL)
    assert asked == [2]
    assert tuple(claim.name for claim in together.claims) == NAMES
    assert _plain(together) == _plain(alone)
    # One claim is not worth a process.
    assert verify(NAMES[:1], jobs=2, **SMALL).claims[0].name == NAMES[0]
    assert asked == [2]


@pytest.mark.slow
def test_processes_say_the_same() -> None:
    assert _plain(verify(NAMES, jobs=2, **SMALL)) == _plain(verify(NAMES, **SMALL))


def test_bad_jobs_are_told() -> None:
    with pytest.raises(ValueError, match="jobs: expected an integer >= 1, got 0"):
        verify(NAMES, jobs=0)


@pytest.mark.parametrize(
    ("options", "cores", "jobs"),
    [
        ([], 2, 2),
        ([], 1, 1),
        ([], 1000, len(claims.list()) // 5),
        (["--jobs", "3"], 2, 3),
        (["--claim", "fixed_keys", "--claim", "norm_budget"], 2, 1),
    ],
)
def test_the_command_has_a_process_for_every_core(
    monkeypatch: pytest.MonkeyPatch, options: list[str], cores: int, jobs: int
) -> None:
    class Asked(Exception):
        pass

    def asked(*_: Any, **given: Any) -> None:
        raise Asked(given["jobs"])

    monkeypatch.setattr(verify_module, "verify", asked)
    monkeypatch.setattr("normtheory.cli._verify.cores", lambda: cores)
    with pytest.raises(Asked, match=f"^{jobs}$"):
        cli.main(["verify", *options])


def test_the_command_refuses_no_process(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["verify", "--jobs", "0"])
    assert "'--jobs'" in capsys.readouterr().err
