"""What holds for every test: strict JAX, no screen, the same examples each time, flags kept."""

from __future__ import annotations

import dataclasses
import gc
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jax
import matplotlib
import pytest

ROOT = Path(__file__).resolve().parents[1]
"""The clone: tests that read pages or build the package start here."""

TOGETHER = ("tests/normtheory/losses/", "tests/normtheory/verify/")
"""Folders whose files share what they compile: programs of all losses, samples of the claims."""


@dataclasses.dataclass(frozen=True)
class Need:
    """What tests with a marker need: they are skipped without it, or fail where it is demanded."""

    there: bool
    words: str
    variable: str

    @property
    def demanded(self) -> bool:
        """Whether the caller wants a failure rather than a skipped test."""
        return os.environ.get(self.variable) == "1"


CHROMIUM = shutil.which("chromium")
"""The browser that the page to play with is driven in."""

NEEDS = {
    "torch": Need(
        importlib.util.find_spec("torch") is not None,
        "PyTorch: pip install normtheory[torch]",
        "NORMTHEORY_REQUIRE_TORCH",
    ),
    "browser": Need(
        importlib.util.find_spec("playwright") is not None and CHROMIUM is not None,
        "the package playwright, and Chromium as `chromium` on the path",
        "NORMTHEORY_REQUIRE_BROWSER",
    ),
}

matplotlib.use("Agg")

# What JAX traces is kept: to look for garbage in it at every turn would take a third of the time.
gc.set_threshold(200_000, 20, 100)

# A shape or dtype that JAX would adapt in silence is a mistake here.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Nobody reads where in the source an operation comes from, and saying it takes a tenth of the time.
jax.config.update("jax_traceback_in_locations_limit", 0)

# The same examples in every run; a deadline would only measure compilation.
hypothesis.settings.register_profile(
    "normtheory", derandomize=True, deadline=None, database=None, print_blob=True
)
hypothesis.settings.load_profile("normtheory")


@pytest.fixture
def root() -> Path:
    """Root of the clone."""
    return ROOT


@pytest.fixture(autouse=True)
def x64_flag_unchanged() -> Iterator[None]:
    """Fail a test after which JAX's global float64 flag differs: it belongs to the user."""
    before = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    yield
    after = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
    if after != before:
        jax.config.update("jax_enable_x64", before)
        pytest.fail(f"the test left jax_enable_x64 at {after}; it was {before}")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Look for examples in the library, not in the helpers and benchmarks beside the tests."""
    helper = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if helper and collection_path.is_relative_to(ROOT / "tests") else None


def _compile_quickly(config: pytest.Config) -> None:
    """Most of the time goes into compiling programs that run once, so XLA optimises them little.

    Of its last stage, whose optimisations change speed alone, nothing is kept, and with the slow
    tests the first level, without which long runs take five times as long. Where JAX still has
    these flags, loops are written by the older route and machine code in one piece: a newer one
    ends the process at a flag that it doesn't know. `.ci/run` runs the slow tests with all
    optimisations, as users have it; a caller who names the flag decides.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_optimization_level" in flags:
        return
    level = 0 if "not slow" in config.option.markexpr else 1
    flags += f" --xla_backend_optimization_level={level}"
    if jax.__version_info__ < (0, 10):
        flags += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = flags.strip()


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to start without what is demanded; leave out what would import a missing PyTorch."""
    _compile_quickly(config)
    for need in NEEDS.values():
        if need.demanded and not need.there:
            raise pytest.UsageError(f"{need.variable}=1, but this needs {need.words}")
    if not NEEDS["torch"].there:
        library = ROOT / "normtheory"  # whose examples are collected
        needs = [library / "torch", *library.rglob("*_torch.py")]
        config.option.ignore = [*(config.option.ignore or ()), *map(str, needs)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the files of some folders to one worker; else by file."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class FoldersTogether(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
            return folder or super()._split_scope(nodeid)

    return FoldersTogether(config, log)


def pytest_collection_finish() -> None:
    """Look for no garbage in what was imported."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Remove the results that the workers left for each other; let what is left be, all of it.

    pytest would look for garbage in all that JAX traced, five times, and then the process ends.
    """
    gc.freeze()
    smoke = sys.modules.get("tests.simulations.smoke")
    if smoke is not None:
        shutil.rmtree(smoke.folder(), ignore_errors=True)


def needs_of(item: pytest.Item) -> list[Need]:
    """What a test needs by its markers."""
    return [need for marker, need in NEEDS.items() if item.get_closest_marker(marker)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs something that is missing."""
    for need in needs_of(item):
        if not need.there:
            pytest.skip(f"needs {need.words}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Turn a skipped test into a failed one where what it needs is demanded."""
    report = yield
    demanded = [need.variable for need in needs_of(item) if need.demanded]
    if demanded and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although {demanded[0]}=1: {report.longrepr}"
    return report
