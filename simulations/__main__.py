"""``python -m simulations NAME [--setting value ...]``: run one experiment and keep its result."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import simulations
from simulations import _store
from simulations._cores import use_all_cores


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        self.exit(2, f"simulations: {message}\n")


def _reader(default: Any) -> Any:
    """How to read a setting from the command line, after the type of its default."""
    if isinstance(default, tuple):
        kind = type(default[0])

        def numbers(text: str) -> tuple[Any, ...]:
            return tuple(kind(part) for part in text.split(","))

        numbers.__name__ = f"comma-separated {kind.__name__}"
        return numbers
    return type(default)


def _parser(name: str | None) -> _Parser:
    parser = _Parser(
        prog="python -m simulations",
        description="Run an experiment. Its result is kept in results/ and reused until something "
        "it depends on changes.",
        epilog="example: python -m simulations norm_effect --norms 1,2,4 --pairs 200",
    )
    parser.add_argument("name", choices=simulations.names(), help="the experiment")
    parser.add_argument(
        "--smoke", action="store_true", help="the smallest size that says something"
    )
    parser.add_argument(
        "--full", action="store_true", help="the size for a GPU, of experiments that have one"
    )
    parser.add_argument("--force", action="store_true", help="run it even if its result is kept")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="also write the result there (NetCDF)"
    )
    if name in simulations.names():
        settings = simulations.get(name).Settings()
        group = parser.add_argument_group(f"settings of {name}")
        for field in dataclasses.fields(settings):
            default = getattr(settings, field.name)
            shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
            group.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=_reader(default),
                metavar="VALUE",
                help=f"default {shown}",
            )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: of the command; None for those of the process.

    Returns:
        The exit status: 0 done, 1 could not finish, 2 bad usage, 130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    name = next((a for a in arguments if a in simulations.names()), None)
    options = vars(_parser(name).parse_args(arguments))
    use_all_cores()
    module = simulations.get(options["name"])
    if options["full"] and not hasattr(module, "FULL"):
        print(f"simulations: {options['name']} has one full size, its default", file=sys.stderr)
        return 2
    base = module.SMOKE if options["smoke"] else module.Settings()
    base = module.FULL if options["full"] else base
    given = {
        f.name: options[f.name] for f in dataclasses.fields(base) if options[f.name] is not None
    }
    try:
        dataset = _store.result(
            options["name"], dataclasses.replace(base, **given), force=options["force"]
        )
        if options["output"]:
            _store.write(dataset, options["output"])
    except (ValueError, OSError, ModuleNotFoundError, FloatingPointError, RuntimeError) as error:
        print(f"simulations: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    except KeyboardInterrupt:
        print("simulations: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(json.dumps(_store.plain(dataset.to_dict())) if options["json"] else dataset)
    return 0


if __name__ == "__main__":
    sys.exit(main())
