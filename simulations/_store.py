"""Where results are kept, and when a kept result may stand for a new run.

A result is kept under ``results/`` by a hash of its settings and of everything it was computed
from: the source files of the library, the experiment and its helpers, the published numbers and the
versions of the numerical libraries and of those that an experiment names besides. A changed formula
changes the hash, so it can never draw an old figure.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import math
import platform
import subprocess
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xarray as xr

import simulations
from normtheory._files import whole_file

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
_LIBRARIES = ("numpy", "scipy", "jax", "jaxlib", "equinox", "optax", "xarray")


def _versions(name: str) -> dict[str, str]:
    """Of Python, the libraries that all experiments need, and those an experiment has besides."""
    found = {"python": platform.python_version()} | {key: version(key) for key in _LIBRARIES}
    for library in getattr(simulations.get(name), "LIBRARIES", ()):
        with contextlib.suppress(PackageNotFoundError):  # not all that it reads needs all of them
            found[library] = version(library)
    return found


def sources(name: str, root: Path = ROOT) -> list[Path]:
    """The files that a result is computed from, those of the user apart."""
    helpers = [p for p in (root / "simulations").glob("_*.py") if p.name != "__main__.py"]
    own = [root / "simulations" / f"{name}.py", root / "simulations" / "published.json"]
    if "simulations.encoders" in own[0].read_text("utf-8"):
        helpers += (root / "simulations" / "encoders").glob("*.py")
    return sorted([*(root / "normtheory").rglob("*.py"), *helpers, *own])


def fingerprint(name: str, settings: Any, root: Path = ROOT) -> str:
    """Hash of the settings of an experiment and of all that its result depends on."""
    digest = hashlib.sha256()
    digest.update(
        json.dumps([name, dataclasses.asdict(settings), _versions(name)], sort_keys=True).encode()
    )
    data = getattr(settings, "data_files", ())  # an experiment on files of the user
    for path in data:
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    for path in sources(name, root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _commit() -> str:
    """The commit the tree is at, with "-changed" where files differ from it, or "unknown"."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty=-changed"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def _attributes(name: str, settings: Any, key: str) -> dict[str, str]:
    import jax

    return {
        "experiment": name,
        "settings": json.dumps(dataclasses.asdict(settings)),
        "rerun": f"python -m simulations {name} "
        + " ".join(
            f"--{field.replace('_', '-')} {','.join(map(str, v)) if isinstance(v, tuple) else v}"
            for field, v in dataclasses.asdict(settings).items()
        ),
        "dtype": getattr(simulations.get(name), "DTYPE", "float64"),
        "device": jax.devices()[0].device_kind,
        "versions": json.dumps(_versions(name)),
        "commit": _commit(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "fingerprint": key,
    }


def write(dataset: xr.Dataset, path: Path) -> None:
    """Write a NetCDF file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        dataset.to_netcdf(temporary, engine="netcdf4")


def kept(name: str, settings: Any, folder: Path | None = None) -> Path:
    """Where the result of an experiment is kept once it has run; see :func:`result`."""
    return (RESULTS if folder is None else folder) / f"{name}-{fingerprint(name, settings)}.nc"


def result(
    name: str,
    settings: Any = None,
    *,
    force: bool = False,
    folder: Path | None = None,
    run: Callable[[Any], xr.Dataset] | None = None,
) -> xr.Dataset:
    """The result of an experiment: the kept one, or a new run if anything behind it has changed.

    Args:
        name: of the experiment.
        settings: an instance of its ``Settings``; None for the full size.
        force: run it even if a result is kept.
        folder: where results are kept; None for results/ of the clone.
        run: runs it in place of the module's function, and does more besides: so a kept result
            doesn't do.

    Returns:
        Dataset with attributes that say how to rerun it.

    Raises:
        ValueError: there is no such experiment.
        OSError: the result can't be written.
    """
    module = simulations.get(name)
    settings = module.Settings() if settings is None else settings
    path = kept(name, settings, folder)
    if path.exists() and not force and run is None:
        try:
            return xr.load_dataset(path, engine="netcdf4")
        except (OSError, ValueError, RuntimeError):
            pass  # a damaged file is as good as none
    path.parent.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    dataset = module.run(settings) if run is None else run(settings)
    dataset.attrs.update(_attributes(name, settings, path.stem.rpartition("-")[2]))
    write(dataset, path)
    return dataset


def plain(value: Any) -> Any:
    """The same with None for what JSON can't say: not a number, and infinity."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
