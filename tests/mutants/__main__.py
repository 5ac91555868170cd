"""Plant the committed errors one at a time and run the nearest tests: ``python -m tests.mutants``.

An error is *killed* if a test fails, and *survives* if none does. The tests that run by default
come first; what they miss is tried with the slow ones. Nothing is planted in the clone: every
worker has a copy of it, and of the JAX programs that the tests compile without an error: most of
them are needed again.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.errors import Error, areas, errors
from tests.mutants.sampling import LEVEL, drawn, fewest_killed

ROOT = Path(__file__).resolve().parents[2]
KILLED, BY_SLOW, SURVIVED = "killed", "killed by slow tests", "survived"
GOAL = 0.95
COMPILED = ".compiled"
LONGEST = 600
"""Seconds after which the tests of an error are ended: it made something endless, and is killed.

On a slow machine more: as many as all tests took without an error, which nothing ends.
"""


def copy_of_the_clone(folder: Path) -> Path:
    """All files that git tracks or would track, as they stand."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def run(
    copy: Path, tests: Sequence[str], marks: str, *more: str, longest: float | None = None
) -> tuple[int, str]:
    """Run tests in a copy: pytest's status (1 also if they don't end), and what was printed."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),  # before the clone, also in processes that a test starts
        "PYTHONDONTWRITEBYTECODE": "1",
        "JAX_COMPILATION_CACHE_DIR": str(copy / COMPILED),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks]
    try:
        done = subprocess.run(
            [*command, *more, *tests],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=longest,
        )
    except subprocess.TimeoutExpired:
        return 1, "ended after a time"
    return done.returncode, done.stdout + done.stderr


def verdict(error: Error, copy: Path, longest: float) -> str:
    """Plant an error, run its tests, take it away again."""
    place = copy / error.file
    before = place.read_text()
    place.write_text(error.planted(before))
    try:
        for marks, found in (("not slow", KILLED), ("slow", BY_SLOW)):
            status, printed = run(copy, error.tests, marks, "-x", "-n0", longest=longest)
            # 2: the tests can't be collected with it. 5: no test has the mark.
            if status in (1, 2):
                return found
            if status not in (0, 5):
                raise RuntimeError(
                    f"pytest ended with {status} at {error.what}:\n{printed[-3000:]}"
                )
        return SURVIVED
    finally:
        place.write_text(before)


def table(found: Sequence[tuple[Error, str]]) -> str:
    """Killed and survived, by area."""
    rows: list[tuple[str, ...]] = [("area", "errors", "killed", "by slow tests", "survived")]
    for area in [*dict.fromkeys(error.area for error, _ in found), "all"]:
        counts = Counter(v for error, v in found if area in (error.area, "all"))
        numbers = (counts.total(), counts[KILLED], counts[BY_SLOW], counts[SURVIVED])
        rows.append((area, *map(str, numbers)))
    return "\n".join(f"{row[0]:<12}" + "".join(f"{entry:>15}" for entry in row[1:]) for row in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print killed and survived by area; 0 if at least 95 % are killed, of a sample its bound."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("areas", nargs="*", help=f"of {', '.join(areas())}; all by default")
    parser.add_argument("--only", default="", help="only errors with this word in file or text")
    parser.add_argument("--workers", type=int, default=2, help="errors tried at the same time")
    parser.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="plant only N of them, drawn at random, and bound the share of all that is killed",
    )
    parser.add_argument("--seed", type=int, help="of the draw of the sample; a new one by default")
    parser.add_argument("--json", type=Path, help="write every verdict to this file as well")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.areas) - set(areas()))
    if unknown:
        parser.error(f"no area {', '.join(unknown)}; there are: {', '.join(areas())}")
    chosen = [
        error
        for area in given.areas or areas()
        for error in errors(area)
        if given.only in error.file or given.only in error.what
    ]
    if not chosen:
        parser.error(f"no error has {given.only!r} in its file or text")
    listed = len(chosen)
    if given.sample is None:
        if given.seed is not None:
            parser.error("--seed is of the draw of --sample, which is not given")
    elif not 1 <= given.sample <= listed:
        parser.error(f"--sample: expected 1 to {listed}, the number of errors, got {given.sample}")
    else:
        seed = secrets.randbelow(2**32) if given.seed is None else given.seed
        if seed < 0:
            parser.error(f"--seed: expected an integer >= 0, got {seed}")
        chosen = drawn(chosen, given.sample, seed)
        print(f"{given.sample} of {listed} errors drawn at random, seed {seed}", flush=True)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="normtheory-mutants-") as temporary:
        first = copy_of_the_clone(Path(temporary) / "0")
        nearest = list(dict.fromkeys(path for error in chosen for path in error.tests))
        print(f"without an error: {', '.join(nearest)}", flush=True)
        status, printed = run(first, nearest, "not slow", f"-n{given.workers}")
        if status:
            print(printed[-3000:], "the tests fail without an error", sep="\n")
            return 2
        longest = max(LONGEST, time.perf_counter() - started)
        copies: SimpleQueue[Path] = SimpleQueue()
        copies.put(first)
        for i in range(1, given.workers):
            copies.put(shutil.copytree(first, Path(temporary) / str(i)))

        def judge(error: Error) -> tuple[Error, str]:
            copy = copies.get()
            try:
                found = verdict(error, copy, longest)
            finally:
                copies.put(copy)
            print(f"{found:<22} {error.area}: {error.what} ({error.file})", flush=True)
            return error, found

        with ThreadPoolExecutor(given.workers) as pool:
            found = list(pool.map(judge, chosen))
    share = sum(v != SURVIVED for _, v in found) / len(found)
    print(f"\n{table(found)}\n")
    print(f"{share:.1%} of {len(found)} killed in {time.perf_counter() - started:.0f} s")
    if given.sample is not None:
        share = fewest_killed(sum(v != SURVIVED for _, v in found), len(found), listed) / listed
        print(f"of all {listed}, at least {share:.1%} would be killed ({LEVEL:.0%} confidence)")
    if given.json:
        given.json.write_text(
            json.dumps([{**error._asdict(), "verdict": v} for error, v in found], indent=1)
        )
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
