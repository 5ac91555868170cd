"""``normtheory simulate``: a run, or a sweep of runs, from a configuration."""

from __future__ import annotations

import contextlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from normtheory._arrays import check_count
from normtheory._text import quoted
from normtheory.cli import _clouds, _system
from normtheory.cli._config import (
    KINDS,
    ConfigError,
    Table,
    check_size,
    choice,
    override,
    read,
    section,
    table,
    unknown,
)
from normtheory.cli._output import RunError
from normtheory.particles import checkpoint, devices, init, run, sweep
from normtheory.particles._memory import bytes_of_step
from normtheory.particles._processes import ALONE, Share
from normtheory.particles._state import precision
from normtheory.particles.checkpoint import CheckpointError

__all__ = ["ConfigError", "RunError", "config", "execute"]

_SECTIONS = (
    "seed",
    "dtype",
    "clouds",
    "classes",
    "force",
    "system",
    "optimizer",
    "schedule",
    "sampling",
    "trained",
    "stop",
    "run",
    "checkpoint",
    "sweep",
)
_RUN = {
    "max_steps": "an integer",
    "record": "a list of words",
    "record_every": "an integer",
    "rotation_steps": "an integer",
    "chunk_steps": "an integer",
    "devices": "a word",
}
_MOST_VALUES = 10**6  # on an axis
_LEAST = {"max_steps": 0, "record_every": 1, "rotation_steps": 1, "chunk_steps": 1}
_CHECKPOINT = {"folder": "a word", "every": "an integer", "keep": "an integer"}


def config(path: Path, settings: Sequence[str], share: Share = ALONE) -> Table:
    """Read a configuration and apply ``key=value`` settings.

    Raises:
        ConfigError: the key or line is named; processes that come with different ones.
    """
    found = share.together(lambda: _read(path, settings), ConfigError)
    with section(""):
        told = json.dumps(found, default=str, sort_keys=True).encode()
        share.check_same(zlib.crc32(told), "configuration", "give all the same file and settings")
    return found


def _read(path: Path, settings: Sequence[str]) -> Table:
    found = read(path)
    for setting in settings:
        override(found, setting)
    check_size(found)
    for name in found:
        if name not in _SECTIONS:
            raise unknown(name, _SECTIONS)
    return found


def execute(config: Mapping[str, Any], *, resume: bool, progress: bool | None = None) -> xr.Dataset:
    """Run a configuration.

    Args:
        config: of :func:`config`.
        resume: go on from the newest whole checkpoint of ``[checkpoint] folder``.
        progress: show a progress bar; None for where there is a terminal.

    Returns:
        The records of the run over ``step``, or of a sweep over its axes, with the configuration
        among the attributes.

    Raises:
        ConfigError: the key is named.
        RunError: a row became infinite, or a checkpoint can't be written or read.
    """
    seed = config.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ConfigError(f"seed: expected an integer >= 0, got {quoted(seed)}")
    draw, n = _clouds.clouds(config)
    labels = _clouds.labels(config, n)
    system = _system.system(config, labels)
    about = table(config, "run", _RUN)
    if "max_steps" not in about:
        raise ConfigError("run.max_steps: missing, expected an integer >= 0")
    several = jax.process_count() > 1
    over = choice("run.devices", about.get("devices", "all" if several else "one"), ("one", "all"))
    if several and over == "one":
        raise ConfigError("run.devices: expected all, which several processes share, got one")
    with section("run", _RUN):
        for name, least in _LEAST.items():
            if name in about:
                check_count(name, about[name], least)
    options: Table = {
        "stop": _system.stops(config),
        "record": _system.records(about, config, labels),
        "record_every": about.get("record_every"),
        "progress": progress,
    }
    saving = _saving(config, resume)
    axes, memory = _axes(config)
    if axes:
        if "chunk_steps" in about:
            raise ConfigError("run.chunk_steps: not with [sweep], whose runs go side by side")
        if "devices" in about:
            raise ConfigError("run.devices: not with [sweep], which gives all devices runs")
        options |= {"seed": seed, "memory": memory, **saving}
        with section("sweep", axes), _told():
            found = sweep(system, draw, axes, about["max_steps"], **options)
    else:
        with section("clouds"):
            start = init(system, *draw(seed), seed=seed)
            if over == "all" and len(jax.devices()) > 1:
                start = devices.shard(start)
        options["chunk_steps"] = about.get("chunk_steps")
        with section("run", _RUN), _told():
            with precision(start.dtype):
                bytes_of_step(system, start)  # what is beyond all memory is said before the run
            if saving:
                folder = saving.pop("folder")
                options |= saving
                done = checkpoint.run(folder, system, start, about["max_steps"], **options)
            else:
                done = run(system, start, about["max_steps"], **options)
        found = done.dataset
    found.attrs["config"] = json.dumps(config)
    found.attrs["seed"] = seed
    return found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what stops a run into :class:`RunError`, one line."""
    try:
        yield
    except (FloatingPointError, CheckpointError, ModuleNotFoundError) as error:
        raise RunError(" ".join(str(error).split())) from None
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise RunError(
            "the memory of this machine does not do for a step: fewer rows, a smaller minibatch, "
            "or force.block"
        ) from None


def _saving(config: Mapping[str, Any], resume: bool) -> Table:
    """The options of checkpoints; empty without a table ``[checkpoint]``."""
    about = table(config, "checkpoint", _CHECKPOINT)
    if about and "folder" not in about:
        raise ConfigError("checkpoint.folder: missing, expected a word")
    if resume and not about:
        raise ConfigError("--resume: expected checkpoint.folder in the configuration")
    with section("checkpoint", _CHECKPOINT):
        for name, least in (("every", 1), ("keep", 2)):
            if name in about:
                check_count(name, about[name], least)
    if about:
        about |= {"resume": resume, "settings": {"schedule": config.get("schedule")}}
    return about


def _is_range(values: Mapping[str, Any]) -> bool:
    """Whether these are two finite ends above 0 and a count of values, not beyond all bounds."""
    return (
        set(values) == {"low", "high", "count"}
        and all(KINDS["a number"](x) and 0 < x < math.inf for x in values.values())
        and KINDS["an integer"](values["count"])
        and values["count"] <= _MOST_VALUES
    )


def _paths(found: Mapping[str, Any], before: str = "") -> Table:
    """Axes by the path of the number: tables in tables, but for those that are ranges."""
    paths: Table = {}
    for name, values in found.items():
        if isinstance(values, dict) and values and not values.keys() & {"low", "high", "count"}:
            paths.update(_paths(values, f"{before}{name}."))
        else:
            paths[before + name] = values
    return paths


def _axes(config: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Axes of ``[sweep]`` and the memory that its runs may take, bytes."""
    found = config.get("sweep", {})
    if not isinstance(found, dict):
        raise ConfigError(f"sweep: expected a table [sweep], got {quoted(found)}")
    axes, memory = {}, 2**30
    for name, values in _paths(found).items():
        if name == "memory":
            with section("sweep", found):
                check_count("memory", values, 1)
            memory = values
        elif isinstance(values, dict):
            if not _is_range(values):
                raise ConfigError(
                    f"sweep.{name}: expected {{low = ..., high = ..., count = ...}}, finite and "
                    f"> 0, with an integer count up to {_MOST_VALUES}, got {quoted(values)}"
                )
            axes[name] = np.geomspace(values["low"], values["high"], values["count"])
        elif KINDS["a list of numbers"](values) and values:
            axes[name] = values
        else:
            raise ConfigError(f"sweep.{name}: expected a list of numbers, got {quoted(values)}")
    if found and not axes:
        raise ConfigError("sweep: expected at least one axis, such as norm = [1.0, 2.0]")
    return axes, memory
