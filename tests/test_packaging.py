"""The package as others get it: installed from a wheel, away from the clone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

import normtheory


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command in a folder without the clone on its path; give its output or fail with it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def bare_environment(folder: Path) -> Path:
    """Make a virtual environment that sees the dependencies of this one, and no normtheory.

    A .pth file inside a folder that a .pth file names is not read, so the editable install of the
    running environment stays out of sight. Nothing is downloaded.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    libraries = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    )
    paths = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (Path(libraries.strip()) / "dependencies.pth").write_text("\n".join(paths) + "\n")
    return python


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of what the package is made of."""
    source = tmp_path_factory.mktemp("source")
    root = Path(__file__).resolve().parents[1]
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    shutil.copytree(
        root / "normtheory", source / "normtheory", ignore=shutil.ignore_patterns("__pycache__")
    )
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", source, cwd=source)
    (built,) = source.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel installed."""
    folder = tmp_path_factory.mktemp("environment")
    python = bare_environment(folder)
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-deps", "--no-index", wheel),
        cwd=folder,
    )
    return python


@pytest.mark.slow
def test_wheel_works_outside_the_clone(installed: Path, tmp_path: Path) -> None:
    program = (
        "import numpy as np, normtheory as nt;"
        "print(nt.__file__);"
        "print(nt.cosine_gradient(np.array([2.0, 0.0]), np.array([0.0, 1.0])).tolist())"
    )
    where, gradient = run(installed, "-c", program, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(installed.parents[1])
    assert json.loads(gradient) == [0.0, 0.5]


@pytest.mark.slow
def test_wheel_brings_a_working_command(installed: Path, root: Path, tmp_path: Path) -> None:
    command = installed.parent / "normtheory"
    example = run(command, "simulate", "--example", "pairs", cwd=tmp_path)
    assert example == (root / "normtheory" / "cli" / "examples" / "pairs.toml").read_text()
    listed = run(command, "verify", "--list", "--json", cwd=tmp_path)
    assert tuple(json.loads(listed)) == tuple(normtheory.claims.list())


@pytest.mark.slow
def test_the_command_of_the_wheel_verifies(installed: Path, tmp_path: Path) -> None:
    command = installed.parent / "normtheory"
    output = run(command, "verify", "--claim", "cosine_gradient", "--json", cwd=tmp_path)
    (claim,) = json.loads(output)["claims"]
    assert claim["name"] == "cosine_gradient"
    assert claim["passed"] is True


@pytest.mark.slow
def test_wheel_holds_the_library_alone(installed: Path, tmp_path: Path) -> None:
    program = (
        "import importlib.util as u;"
        "print([bool(u.find_spec(n)) for n in ('normtheory', 'simulations', 'figures', 'tests')])"
    )
    assert run(installed, "-c", program, cwd=tmp_path).strip() == "[True, False, False, False]"


@pytest.mark.slow
def test_wheel_has_all_files_of_the_library_and_its_licence(wheel: Path, root: Path) -> None:
    import zipfile

    names = zipfile.ZipFile(wheel).namelist()
    library = (path for path in (root / "normtheory").rglob("*") if path.is_file())
    own = {str(p.relative_to(root)) for p in library if "__pycache__" not in p.parts}
    assert own <= set(names)
    assert "normtheory/py.typed" in names
    assert "normtheory/cli/examples/pairs.toml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_editable_install_exposes_the_library_alone(root: Path, tmp_path: Path) -> None:
    python = bare_environment(tmp_path / "environment")
    run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-deps", "--no-index", "--no-build-isolation", "-e", root),
        cwd=tmp_path,
    )
    program = (
        "import importlib.util as u, normtheory;"
        "print(normtheory.__file__);"
        "print([bool(u.find_spec(n)) for n in ('simulations', 'figures', 'tests')])"
    )
    where, others = run(python, "-c", program, cwd=tmp_path).splitlines()
    assert Path(where) == root / "normtheory" / "__init__.py"
    assert others == "[False, False, False]"


def test_import_is_light(root: Path, tmp_path: Path) -> None:
    program = f"""
import sys, warnings
sys.path.insert(0, {str(root)!r})
filters = list(warnings.filters)
import normtheory
loaded = {{"hypothesis", "jax", "matplotlib", "sympy", "torch", "xarray"}} & set(sys.modules)
assert not loaded, f"importing normtheory loaded {{sorted(loaded)}}"
assert filters == list(warnings.filters), "importing normtheory changed the warning filters"
"""
    run(sys.executable, "-c", program, cwd=tmp_path)


@pytest.mark.slow
def test_no_public_name_changes_a_setting(root: Path, tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(root)!r})
import jax, numpy, random
def settings():
    state = numpy.random.get_state()
    return (
        dict(jax.config.values), numpy.get_printoptions(), numpy.geterr(), random.getstate(),
        state[0], state[1].tolist(), state[2:],
    )
before = settings()
import normtheory
for name in normtheory.__all__:
    getattr(normtheory, name)
assert settings() == before, "loading the public names changed a global setting"
"""
    run(sys.executable, "-c", program, cwd=tmp_path)


@pytest.mark.slow
def test_one_version(wheel: Path, root: Path) -> None:
    assert wheel.name.startswith(f"normtheory-{normtheory.__version__}-")
    assert f"## [{normtheory.__version__}]" in (root / "CHANGELOG.md").read_text()


@pytest.fixture
def locked(root: Path) -> dict[str, set[str]]:
    """The lock: name -> versions."""
    found: dict[str, set[str]] = {}
    for line in (root / "requirements.lock").read_text().splitlines():
        match = re.fullmatch(r"([a-z0-9-]+)==([\w.+]+)( ; .+)?", line)
        assert match, f"not a plain constraint, which pip would refuse: {line!r}"
        found.setdefault(match[1], set()).add(match[2])
    return found


def test_lock_covers_the_dependencies(locked: dict[str, set[str]], root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    for name in ("testing", "notebooks", "docs", "bench", "dev"):
        wanted += extras[name]
    names = {re.split(r"[\[<>=!;]", need)[0].strip().lower() for need in wanted} - {"normtheory"}
    missing = names - set(locked)
    assert not missing, f"run the lock command of CONTRIBUTING.md: {sorted(missing)}"
    assert not {"torch", "jax-cuda13-plugin"} & set(locked)


def test_lock_avoids_the_jax_that_computes_wrong_numbers(locked: dict[str, set[str]]) -> None:
    # jax-ml/jax issues 39103 and 39264; 0.9.2 is the newest for Python 3.11 outside the gap.
    assert "0.9.2" in locked["jax"]
    bad = {v for v in locked["jax"] if v.startswith("0.10.") or v in {"0.11.0", "0.11.1"}}
    assert not bad
