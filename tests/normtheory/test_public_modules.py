"""Every public module says in ``__all__`` what is for users, and nothing else is in it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from pathlib import Path

import pytest

import normtheory

ROOT = Path(normtheory.__file__).parent
FOUND_BY_PLACE = {"claims": "CLAIM", "course/lessons": "EXERCISES", "losses/definitions": "LOSS"}
"""Folders whose modules are read by their place, for this one name."""


def _is_public(path: Path) -> bool:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return all(part == "__init__" or not part.startswith("_") for part in parts)


def _modules() -> list[str]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.parent.relative_to(ROOT).as_posix()
        if _is_public(path) and (path.stem == "__init__" or place not in FOUND_BY_PLACE):
            parts = path.relative_to(ROOT.parent).with_suffix("").parts
            found.append(".".join(part for part in parts if part != "__init__"))
    without = {"normtheory.course.lessons", "normtheory.losses.definitions"}
    if importlib.util.find_spec("torch") is None:
        without |= {name for name in found if name.split(".")[1:2] == ["torch"]}
    return [name for name in found if name not in without]


def _states_all(module: str) -> bool:
    file = inspect.getsourcefile(importlib.import_module(module))
    assert file is not None
    targets = [
        target
        for node in ast.parse(Path(file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def test_the_walk_finds_the_packages_and_their_public_modules():
    doors = {
        "claims",
        "cli",
        "course",
        "diagnosis",
        "equilibrium",
        "losses",
        "particles",
        "testing",
        "verify",
    }
    if importlib.util.find_spec("torch") is not None:
        doors |= {"torch"}
    found = set(_modules())
    assert {f"normtheory.{door}" for door in doors} <= found
    assert {"normtheory", "normtheory.sphere", "normtheory.particles.stop"} <= found
    assert not any("._" in name or name.startswith("normtheory.claims.") for name in found)


@pytest.mark.parametrize("name", _modules())
def test_a_public_module_lists_its_names(name: str):
    assert _states_all(name)
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} says nothing"
    listed = getattr(module, "__all__", ())
    assert len(set(listed)) == len(listed)
    for public in listed:
        thing = getattr(module, public)
        assert not public.startswith("_") or public == "__version__"
        assert not public.startswith("check_"), f"{name}.{public} is a helper"
        home = getattr(thing, "__name__" if inspect.ismodule(thing) else "__module__", None)
        if inspect.isroutine(thing) or inspect.isclass(thing) or inspect.ismodule(thing):
            assert str(home).startswith("normtheory"), f"{name}.{public} comes from {home}"
            assert thing.__doc__, f"{name}.{public} says nothing"


@pytest.mark.parametrize("place", FOUND_BY_PLACE)
def test_a_module_found_by_its_place_holds_its_one_name(place: str):
    files = [path for path in (ROOT / place).glob("*.py") if not path.stem.startswith("_")]
    assert files
    for path in files:
        name = f"normtheory.{place.replace('/', '.')}.{path.stem}"
        assert hasattr(importlib.import_module(name), FOUND_BY_PLACE[place]), name
