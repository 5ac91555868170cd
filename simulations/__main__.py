"""``python -m simulations NAME [--setting value ...]``: run one experiment and keep its result."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import simulations
from normtheory._command import BAD_USAGE, FAILED, Parser, say, status_of
from normtheory._files import NETCDF, check_ending
from normtheory._text import shown
from simulations import _store
from simulations._arguments import add_settings, with_given
from simulations._cores import use_all_cores
from simulations._overwrite import keep_inputs


def _parser(name: str | None) -> Parser:
    parser = Parser(
        prog="python -m simulations",
        description="Run an experiment. Its result is kept in results/ and reused until something "
        "it depends on changes.",
        epilog="example: python -m simulations norm_effect --norms 1,2,4 --pairs 200",
    )
    parser.add_argument("name", choices=simulations.names(), help="the experiment")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--smoke", action="store_true", help="the smallest size that says something")
    size.add_argument("--quick", action="store_true", help="fewer runs, for a first look")
    size.add_argument(
        "--full", action="store_true", help="the size for a GPU, of experiments that have one"
    )
    parser.add_argument("--force", action="store_true", help="run it even if its result is kept")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="also write the result there (NetCDF)"
    )
    if name in simulations.names():
        module = simulations.get(name)
        if hasattr(module, "HandOut"):
            module.HandOut.add_options(parser)
        add_settings(parser, f"settings of {name}", module.Settings())
    return parser


def _keep_inputs(name: str, settings: Any, output: Path | None, hand_out: Any) -> None:
    """Refuse outputs that would take the place of an input, before a long run."""
    outputs = [] if output is None else [output]
    inputs = [*_store.sources(name), *getattr(settings, "data_files", ())]
    if hand_out:
        outputs += hand_out.outputs(settings.objectives)
        inputs += hand_out.inputs()
    keep_inputs(outputs, inputs)
    if output is not None:
        check_ending(output, NETCDF, "NetCDF", "--json prints the numbers")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: of the command; None for those of the process.

    Returns:
        The exit status: 0 done, 1 could not finish, 2 bad usage, 130 interrupted.
    """
    return status_of("simulations", lambda: _run(arguments), "interrupted; nothing was written")


def _run(arguments: list[str] | None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    name = next((a for a in arguments if a in simulations.names()), None)
    options = vars(_parser(name).parse_args(arguments))
    use_all_cores()
    module = simulations.get(options["name"])
    if options["full"] and not hasattr(module, "FULL"):
        say("simulations", f"{options['name']} has one full size, its default")
        return BAD_USAGE
    base = module.SMOKE if options["smoke"] else module.Settings()
    base = simulations.quick(options["name"]) if options["quick"] else base
    base = module.FULL if options["full"] else base
    try:
        settings = with_given(base, options)
        hand_out = module.HandOut.of(options) if hasattr(module, "HandOut") else None
        _keep_inputs(options["name"], settings, options["output"], hand_out)
        run = partial(module.run, hand_out=hand_out) if hand_out else None
        dataset = _store.result(options["name"], settings, force=options["force"], run=run)
        if options["output"]:
            _store.write(dataset, options["output"])
    except (ValueError, ModuleNotFoundError, FloatingPointError, RuntimeError) as error:
        say("simulations", " ".join(str(error).split()))
        return BAD_USAGE if isinstance(error, ValueError) else FAILED
    for note in filter(None, dataset.attrs.get("notes", "").splitlines()):
        say("simulations", note)
    if options["json"]:
        print(json.dumps(_store.plain(dataset.to_dict())))
        return 0
    lines = str(dataset).splitlines()
    if "outcome" in dataset.attrs:
        lines += ["", *dataset.attrs["outcome"].splitlines()]
    if options["output"]:
        lines += ["", f"written to {options['output']}"]
    for line in lines:  # words and names of files of the user are among the attributes
        print(shown(line, len(line)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
