"""``python -m figures [NAME ...]``: draw figures from nothing: PNG, PDF, and GIF if they move."""

from __future__ import annotations

import json
import logging
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure

import figures
import simulations
from figures import Row, _captions, _fidelity, _picture, _predicted
from figures._made import made
from normtheory._command import BAD_USAGE, FAILED, Parser, say, status_of
from normtheory._drawing import style
from normtheory._files import check_place, whole_file
from normtheory._progress import bar
from normtheory._text import shown
from normtheory._workers import cores
from simulations import _store
from simulations._arguments import add_settings, with_given
from simulations._cores import use_all_cores
from simulations._overwrite import keep_inputs


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


_positive.__name__ = "positive integer"  # which the error says


def _parser(name: str | None) -> Parser:
    """The command's, with the settings of the experiment of the one figure that is asked for."""
    parser = Parser(
        prog="python -m figures",
        description="Draw the figures, running their experiments where no current result is kept.",
        epilog="example: python -m figures norm_effect --norms 1,2,4 --output /tmp/figures; "
        "--help after the name of a figure lists its settings",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures to draw (default: all)")
    parser.add_argument("--list", action="store_true", help="list the figures and stop")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("results/figures"),
        metavar="DIR",
        help="where PNG and PDF go (default: results/figures)",
    )
    parser.add_argument(
        "--force", action="store_true", help="run the experiments even if results are kept"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--smoke", action="store_true", help="draw from the smallest runs, to see that all works"
    )
    size.add_argument(
        "--quick", action="store_true", help="draw from fewer runs, for a first look in minutes"
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="processes that run experiments (default: one a core, at most 4, or this one where "
        "all is soon done)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the closing table as JSON, and nothing else"
    )
    parser.add_argument(
        "--of",
        type=Path,
        metavar="FILE",
        help="draw what was recorded over steps in a result, such as `normtheory simulate "
        "--output FILE` writes (NetCDF)",
    )
    parser.add_argument(
        "--fidelity",
        type=Path,
        metavar="FILE",
        help="draw nothing: write the paper's numbers beside ours to this page (Markdown)",
    )
    parser.add_argument(
        "--predicted",
        type=Path,
        metavar="FILE",
        help="draw nothing: write what nt.predict says of real trainings beside what they do",
    )
    if name is not None and name in simulations.names():
        add_settings(parser, f"settings of {name}", simulations.get(name).Settings())
    return parser


SOON = 30
"""Seconds of experiments that are not worth more processes, nor saying so."""
_BAR = "{desc}: {percentage:3.0f}% |{bar}| {elapsed} gone, {remaining} to go"


class About(NamedTuple):
    """What the files of a picture say of it.

    Attributes:
        title: name of the figure.
        caption: what it shows; nothing where nobody says.
        rerun: the command that draws it again, with all settings; nothing where there is none.
    """

    title: str
    caption: str = ""
    rerun: str = ""


def about(name: str, data: xr.Dataset | None) -> About:
    """Of a figure and the result that it is drawn from."""
    if data is None and name in simulations.names():
        return About(name)
    return About(name, figures.caption(name, data), _captions.command(name, data))


def _about_file(path: Path, data: xr.Dataset) -> About:
    """Of a result in a file: of its run the configuration, where it has one."""
    name = data.attrs.get("experiment")
    if name in figures.names():
        return about(name, data)
    return About(path.stem, _picture.caption(data), data.attrs.get("config", ""))


def save(picture: Figure, path: Path, said: About | None = None) -> None:
    """Write one picture whole or not at all, with caption and settings inside of the file.

    No date goes into it, so that the same picture is the same file.

    Args:
        picture: what to write.
        path: where, with the ending .png or .pdf.
        said: of the picture; None for nothing but its name.
    """
    # Embedding a font, fontTools remarks on the date inside the font file: no news to anybody.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    metadata = _captions.metadata(*(said or About(path.stem)), path.suffix)
    # In the style again: resolution and the kind of embedded fonts are settled when saving.
    with whole_file(path) as temporary, style(figures.STYLE):
        picture.savefig(temporary, format=path.suffix[1:], metadata=metadata)


def _save_both(picture: Figure, stem: Path, said: About) -> None:
    """Write it for the screen and for print, beside each other."""
    for suffix in (".png", ".pdf"):
        save(picture, stem.parent / f"{stem.name}{suffix}", said)


def animate(module: ModuleType, data: xr.Dataset | None, path: Path) -> None:
    """Write the moving picture of a figure that has one, whole or not at all."""
    with whole_file(path) as temporary, style(figures.STYLE):
        moving = module.animate(data)
        moving.save(temporary, writer=PillowWriter(fps=10), dpi=100)
        plt.close("all")


def table(rows: list[Row]) -> str:
    """Lay out the closing table.

    The deviation is that of the published number from the predicted one; of the simulated number
    where none is published. Where a row says how closely simulated and predicted number must agree,
    two more columns say that, and whether they do.
    """
    judged = any(row.verdict for row in rows)
    header = ("", "published", "predicted", "simulated", "deviation")
    header += ("within", "verdict") if judged else ()

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"

    lines: list[tuple[str, ...]] = [header]
    for row in rows:
        deviation = "" if row.deviation is None else f"{round(100 * row.deviation, 2) + 0.0:+.2f} %"
        lines.append(
            (
                row.quantity,
                shown(row.published),
                shown(row.predicted),
                shown(row.simulated),
                deviation,
                *((shown(row.within), row.verdict or "") if judged else ()),
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    text.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(text)


def _fidelity_page(*, force: bool) -> str:
    """The paper's numbers beside ours."""
    entries = {}
    for name, entries_of in _fidelity.TABLES.items():
        try:
            data = figures.result(name, force=force)
        except ModuleNotFoundError as error:
            say("figures", f"{name} is not measured: {error}")
            data = None
        entries[name] = entries_of(data)
    return _fidelity.page(entries)


def _predicted_page(*, force: bool) -> str:
    """What predict says of trainings beside what they do."""
    data = figures.result("predicted", force=force)
    assert data is not None
    return _predicted.page(data)


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"written to {shown(path)}")


def _draw_file(path: Path, folder: Path) -> int:
    """Draw the result in a file; the exit status."""
    try:
        data = _picture.dataset_of(path)
        found = figures.picture(data)
    except ValueError as error:
        say("figures", f"--of {shown(path)}: {error}")
        return BAD_USAGE
    folder.mkdir(parents=True, exist_ok=True)
    _save_both(found, folder / path.stem, _about_file(path, data))
    print(f"{shown(folder / path.stem)}.png, .pdf")
    return 0


def _check_page(path: Path, experiments: Iterable[str]) -> None:
    """Raise ValueError unless that page has a place, and none of what it is made from."""
    check_place(path, {})
    for name in experiments:
        settings = simulations.get(name).Settings()
        keep_inputs([path], [*_store.sources(name), _store.kept(name, settings)])


def _settings(alone: str | None, options: Namespace) -> dict[str, Any]:
    """Those of experiments that differ from the default, by name."""
    found = {}
    if options.smoke:
        found = {name: simulations.get(name).SMOKE for name in simulations.names()}
    if options.quick:
        found = {name: simulations.quick(name) for name in simulations.names()}
    if alone in simulations.names():
        base = found.get(alone, simulations.get(alone).Settings())
        found[alone] = with_given(base, vars(options))
    return found


def _cost(name: str, settings: dict[str, Any], *, force: bool) -> float:
    """About how many seconds a figure takes on two cores; drawing a kept result takes one."""
    if name not in simulations.names():
        return 1.0
    chosen = settings.get(name, simulations.get(name).Settings())
    if not force and _store.kept(name, chosen).exists():
        return 1.0
    return 1.0 + simulations.seconds(name, chosen)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: of the command; None for those of the process.

    Returns:
        The exit status: 0 done, 1 could not finish, 2 bad usage, 130 interrupted.
    """
    whole = "interrupted; the figures listed above are whole"
    return status_of("figures", lambda: _run(arguments), whole)


def _run(arguments: list[str] | None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    said = [word for word in arguments if word in figures.names()]
    alone = said[0] if len(said) == 1 else None
    options = _parser(alone).parse_args(arguments)
    if options.list:
        for name in figures.names():
            print(f"{name:18} {(figures.get(name).__doc__ or '').splitlines()[0]}")
        return 0
    use_all_cores()
    names = options.names or figures.names()
    both = (
        (options.fidelity, _fidelity.TABLES, _fidelity_page),
        (options.predicted, ("predicted",), _predicted_page),
    )
    pages = [page for page in both if page[0]]
    try:
        modules = {name: figures.get(name) for name in names}
        settings = _settings(alone, options)
        for path, experiments, _ in pages:
            _check_page(path, experiments)
    except ValueError as error:
        say("figures", error)
        return BAD_USAGE
    try:
        for path, _, text in pages:
            _write(path, text(force=options.force))
        if pages:
            return 0
        if options.of:
            return _draw_file(options.of, options.output)
        options.output.mkdir(parents=True, exist_ok=True)
        costs = {name: _cost(name, settings, force=options.force) for name in names}
        if not options.names:  # the quick ones first, so that there is something to look at
            names = sorted(names, key=costs.__getitem__)
        total = sum(costs.values())
        if not options.json and total > SOON:
            print(f"{len(names)} figures, about {total / 60:.1f} minutes on two cores", flush=True)
        jobs = options.jobs or (min(cores(), 4) if total > SOON else 1)
        progress = bar(round(total), "s", bar_format=_BAR)
        progress.set_description("experiments and figures")
        compared: dict[str, list[Row]] = {}
        for found in made(names, settings, force=options.force, jobs=jobs):
            name, data = found.name, found.data
            if found.missing:  # an extra that was not installed
                if options.names:
                    raise found.missing
                why = shown(found.missing, 400)
                progress.write(f"figures: {name} skipped: {why}", file=sys.stderr)
                progress.update(round(costs[name]))
                continue
            module = modules[name]
            start = time.perf_counter()
            picture = figures.draw(module, data)
            _save_both(picture, options.output / name, about(name, data))
            if hasattr(module, "animate"):
                animate(module, data, options.output / f"{name}.gif")
            if data is not None and hasattr(module, "rows"):
                compared[name] = module.rows(data)
            if not options.json:
                took = found.seconds + time.perf_counter() - start
                progress.write(f"{shown(options.output / name)}.png, .pdf  ({took:.1f} s)")
                sys.stdout.flush()  # also into a file or a pipe: each as it is there
            progress.update(round(costs[name]))
        rows = [row for name in names for row in compared.get(name, [])]
        progress.close()
    except (ModuleNotFoundError, FloatingPointError, RuntimeError) as error:
        say("figures", " ".join(str(error).split()))
        return FAILED
    if options.json:
        table_of = [
            {**row._asdict(), "deviation": row.deviation, "verdict": row.verdict} for row in rows
        ]
        print(json.dumps(_store.plain(table_of)))
    elif rows:
        print(f"\n{table(rows)}")
    if options.quick and not options.json:
        print("\nDrawn from fewer runs; without --quick the figures are those of the site.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
