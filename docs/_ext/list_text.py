"""Lists of names with what they mean, as MyST text, made from the objects that have them."""

from __future__ import annotations

import dataclasses
import inspect
import re
from types import ModuleType
from typing import Any

import found
import page_parts

import simulations
from normtheory.losses import LOSSES
from normtheory.particles import forces, observables, optimizers, sampling, stop
from normtheory.verify import MEASUREMENTS
from simulations._settings import meanings_of


def _table(*heads: str) -> list[str]:
    return [page_parts.row(*heads), page_parts.row(*("---" for _ in heads))]


def _shown(default: Any) -> str:
    """A default as a reader would write it; empty where there is none."""
    if default is inspect.Parameter.empty:
        return ""
    return f"`{getattr(default, '__name__', repr(default))}`"


def arguments(function: Any) -> dict[str, str]:
    """What the docstring of a function says of its arguments."""
    listed = inspect.cleandoc(function.__doc__ or "").partition("Args:\n")[2]
    listed = re.split(r"^\S", listed, maxsplit=1, flags=re.MULTILINE)[0]
    entries = re.findall(r"^ {4}\*{0,2}(\w+): (.+(?:\n {8}.+)*)", listed, re.MULTILINE)
    return {name: page_parts.plain(" ".join(text.split())) for name, text in entries}


def _functions(module: ModuleType) -> list[str]:
    """The public functions of a module, each with its arguments."""
    lines: list[str] = []
    for name in module.__all__:
        function = getattr(module, name)
        if not inspect.isfunction(function):
            continue
        said = arguments(function)
        lines += [f"### {{py:obj}}`{name} <{module.__name__}.{name}>`", ""]
        lines += [page_parts.first_sentence(function.__doc__), ""]
        options = inspect.signature(function).parameters.values()
        if options:
            lines += _table("argument", "default", "meaning")
        for option in options:
            stars = {option.VAR_POSITIONAL: "*", option.VAR_KEYWORD: "**"}.get(option.kind, "")
            meaning = said.get(option.name, "")
            shown = f"`{stars}{option.name}`"
            lines.append(page_parts.row(shown, _shown(option.default), meaning))
        lines.append("")
    return lines


def observables_list() -> list[str]:
    """What a run records by name, and the makers of others."""
    # A table before the first heading would end up after the sections.
    lines = ["### By name", "", *_table("name", "what", "unit", "axes beside `step`")]
    for name, made in observables.OBSERVABLES.items():
        axes = ", ".join(f"`{dim}`" for dim in made.dims)
        unit = "" if made.units == "1" else made.units
        lines.append(page_parts.row(f"`{name}`", made.long_name, unit, axes))
    return [*lines, "", *_functions(observables)]


def forces_list() -> list[str]:
    """The forces, and the losses that are forces by name with their options."""
    lines = [*_functions(forces), "### Losses by name", ""]
    for name, loss in LOSSES.items():
        clouds = ", ".join(f"`{cloud.name}`" for cloud in loss.clouds)
        lines += [f"- {{py:obj}}`{name} <normtheory.losses.{name}>` of {clouds}"]
        for option in loss.options:
            default = loss.signature.parameters[option.name].default
            shown = "" if default is inspect.Parameter.empty else f" (default {_shown(default)})"
            lines.append(f"  - `{option.name}`: {option.about.rstrip('.')}{shown}")
    return lines


def measurements_list() -> list[str]:
    """What a check may compare with: inputs of its formula, measured values, options."""
    lines: list[str] = []
    for name, names in found.measured().items():
        measurement = MEASUREMENTS[name]
        dimensions = ", ".join(map(str, measurement.dimensions))
        lines += [f"(measurement-{name})=", f"### `{name}`", ""]
        lines += [page_parts.first_sentence(measurement.function.__doc__), ""]
        for what in ("inputs", "values", "options"):
            if names[what]:
                lines.append(f"- {what}: " + ", ".join(f"`{x}`" for x in names[what]))
        lines += [f"- dimensions: {dimensions}", ""]
    return lines


def experiments_list() -> list[str]:
    """The experiments, each with its settings."""
    lines: list[str] = []
    for name in simulations.names():
        module = simulations.get(name)
        settings = module.Settings()
        meanings = meanings_of(settings)
        lines += [f"### `{name}`", "", page_parts.first_sentence(module.__doc__), ""]
        table = _table("setting", "default", "meaning")
        for field in dataclasses.fields(settings):
            default = getattr(settings, field.name)
            text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
            option = f"`--{field.name.replace('_', '-')}`"
            meaning = page_parts.plain(meanings.get(field.name, ""))
            table.append(page_parts.row(option, f"`{text}`" if text else "", meaning))
        lines += page_parts.folded("Settings", *table)
    return lines


LISTS = {
    "observables": observables_list,
    "stop rules": lambda: _functions(stop),
    "forces": forces_list,
    "optimizers": lambda: _functions(optimizers),
    "samplings": lambda: _functions(sampling),
    "measurements": measurements_list,
    "experiments": experiments_list,
}
"""The lists that there are, by the name that the directive takes."""
