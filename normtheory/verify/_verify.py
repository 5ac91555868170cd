"""Prove and measure the claims, one after the other or in several processes."""

from __future__ import annotations

import functools
import platform
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import metadata
from typing import Any

import jax
import numpy as np

from normtheory._arrays import LARGEST_SEED, check_count, check_flag, check_kind
from normtheory._progress import bar
from normtheory._range import transfers
from normtheory._workers import shared
from normtheory.claims import _registry as claim_list
from normtheory.claims._claim import Claim
from normtheory.claims._symbolic import entries
from normtheory.verify._clouds import DIMENSIONS
from normtheory.verify._judge import judge, judge_condition
from normtheory.verify._library import LIBRARY
from normtheory.verify._measurements import MEASUREMENTS
from normtheory.verify._report import ClaimResult, Report
from normtheory.verify._sample import Sample

#: Measures something once for given options and hands back one sample per dimension.
Measure = Callable[[str, Mapping[str, Any]], Sequence[Sample]]


def verify(
    names: Iterable[str] | None = None,
    *,
    seed: int = 0,
    progress: bool = False,
    points: int = 32,
    dimensions: Sequence[int] = DIMENSIONS,
    jobs: int = 1,
) -> Report:
    """Prove and measure the claims.

    JAX runs in float64 inside; its global settings are left as they are.

    Args:
        names: Claims to verify; all by default.
        seed: Seed of the clouds.
        progress: Show a progress bar on standard error, if that is a terminal.
        points: Pairs of each kind in a cloud. Checks that sample are sure to pass, but for one seed
            in a million or fewer, from 16 on; with fewer, chance refuses one more often.
        dimensions: Measure in these dimensions only. Measurements that are made in none of them
            use the smallest of their own.
        jobs: Processes that share the claims, this one alone by default. Others are started
            afresh, which takes two seconds, and a script asks for them under
            ``if __name__ == "__main__":``. The results are the same.

    Returns:
        The report; ``report.passed`` is the verdict.

    Raises:
        ValueError: A name is unknown, ``points`` is below 4, a dimension is below 2, or ``jobs``
            is below 1.
        TypeError: ``names`` is a single string; ``progress`` is no truth value.
    """
    progress = check_flag("progress", progress)
    check_count("seed", seed, 0, most=LARGEST_SEED)
    check_count("points", points, 4)
    check_count("jobs", jobs, 1)
    for dimension in dimensions:
        check_count("dimensions", dimension, 2)
    if isinstance(names, str):
        raise TypeError(f"expected a list of claim names, got the string {names!r}")
    if not dimensions:
        raise ValueError("dimensions: expected at least one, got none")
    check_kind("names", () if names is None else names, Iterable, "a list of claim names")
    chosen = [claim_list.get(n).name for n in (claim_list.list() if names is None else names)]
    started = time.perf_counter()
    make = functools.partial(_verifier, seed, points, tuple(dimensions))
    results: dict[int, ClaimResult] = {}
    show = None if progress else False
    with (
        bar(len(chosen), "claim", show=show, leave=False) as shown,
        closing(_each(make, chosen, jobs)) as found,
    ):
        for place, result in found:
            results[place] = result
            shown.set_description(result.name)
            shown.update()
    return Report(
        claims=tuple(results[place] for place in range(len(chosen))),
        versions=_versions(),
        device=_device(),
        seed=seed,
        seconds=time.perf_counter() - started,
    )


def verify_claim(claim: Claim, measure: Measure | None = None) -> ClaimResult:
    """Prove and measure one claim object, which need not be in the list.

    Args:
        claim: The claim.
        measure: Where its measurements come from; the full clouds with seed 0 by default.
    """
    started = time.perf_counter()
    measure = measure or _measurer(0, 32, DIMENSIONS)
    not_zero = [key for key, value in claim.proof().items() if any(e != 0 for e in entries(value))]
    zero = [key for key, value in claim.planted_proof().items() if not any(entries(value))]
    checks = [judge(check, measure(check.measurement, check.options)) for check in claim.checks]
    checks += [
        judge(check, [check.sample(s) for s in measure(check.measurement, check.options)])
        for name in claim.implemented_by
        for check in LIBRARY[name]
    ]
    conditions = [
        judge_condition(condition, measure(condition.measurement, condition.options))
        for condition in claim.conditions
    ]
    return ClaimResult(
        name=claim.name,
        source=claim.source,
        proof=", ".join(not_zero) or "exact",
        planted_proof=", ".join(zero) or "rejected",
        checks=tuple(checks),
        conditions=tuple(conditions),
        seconds=time.perf_counter() - started,
    )


def _verifier(seed: int, points: int, dimensions: Sequence[int]) -> Callable[[str], ClaimResult]:
    """Verifies claims by name, each with what was measured for those before."""
    measure = _measurer(seed, points, dimensions)
    return lambda name: verify_claim(claim_list.get(name), measure)


def _each(
    make: Callable[[], Callable[[str], ClaimResult]], names: Sequence[str], jobs: int
) -> Generator[tuple[int, ClaimResult]]:
    """Place and result of every claim, as they come."""
    if min(jobs, len(names)) > 1:
        yield from shared(make, names, jobs)
        return
    verified = make()
    for place, name in enumerate(names):
        yield place, verified(name)


def _measurer(seed: int, points: int, dimensions: Sequence[int]) -> Measure:
    """Measurements with a memory: claims that ask for the same thing share it."""
    known: dict[tuple[str, str], list[Sample]] = {}

    def measure(name: str, options: Mapping[str, Any]) -> Sequence[Sample]:
        measurement = MEASUREMENTS[name]
        settings = {**_defaults(measurement.function), **options}
        key = (name, repr(sorted(settings.items())))
        if key not in known:
            chosen = [d for d in measurement.dimensions if d in dimensions]
            known[key] = []
            for d in chosen or [min(measurement.dimensions)]:
                # A seed of its own for each measurement: adding a claim changes no other.
                rng = np.random.default_rng([seed, zlib.crc32(repr(key).encode()), d])
                with _plain_float64():
                    known[key].append(measurement.function(d, points, rng, **options))
        return known[key]

    return measure


def _defaults(function: Callable[..., Sample]) -> dict[str, Any]:
    """The options of a measurement, so that spelling one out asks for nothing new."""
    return dict(function.__kwdefaults__ or {})


@contextmanager
def _plain_float64() -> Iterator[None]:
    """Float64, and JAX's usual promotion even where the user made it strict (optax needs it)."""
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        transfers(),
    ):
        yield


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("normtheory", "jax", "jaxlib", "numpy", "scipy", "sympy", "optax"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _device() -> str:
    device = jax.devices()[0]
    return f"{device.platform}: {device.device_kind}"
