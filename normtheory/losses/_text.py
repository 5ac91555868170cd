"""The docstring of a loss, made of what the object says of itself."""

from __future__ import annotations

import textwrap

from normtheory.losses._definition import Definition
from normtheory.losses._parts import Cloud, Option

_WIDTH = 96


def _entry(name: str, text: str) -> str:
    return textwrap.fill(
        f"{name}: {text}", _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8
    )


def _of_cloud(cloud: Cloud) -> str:
    kind = "" if cloud.trained else "; constants"
    least = f", {cloud.rows} >= {cloud.least}" if cloud.least > 1 else ""
    return _entry(cloud.name, f"{cloud.about}, shape ({cloud.rows}, d){least}, nonzero rows{kind}.")


def _of_option(option: Option) -> str:
    rules = [
        f"{sign} {bound:g}"
        for sign, bound in ((">", option.above), (">=", option.least), ("<=", option.most))
        if abs(bound) < float("inf")
    ]
    text = " ".join([option.about, *[" and ".join(rules)][: len(rules)]])
    if option.shape:
        text += f", shape ({', '.join(option.shape)}{',' * (len(option.shape) == 1)})"
        text += "" if option.per_row else " or a number"
    if option.below:
        text += f", in 0 … {option.below} - 1"
    if option.kind == "number":
        text += "; differentiable" if option.trained else "; a constant"
    return _entry(option.name, text + ".")


def of_loss(loss: Definition) -> str:
    """Summary, notes, arguments, result, errors, source, in Google's style."""
    arguments = [*map(_of_cloud, loss.clouds), *map(_of_option, loss.options)]
    if loss.all_pairs:
        arguments.append(
            _entry(
                "block",
                "None forms all similarities at once; a number of rows, or 'auto', goes by blocks "
                "of rows, in memory O(n·block), with the same numbers to rounding.",
            )
        )
    arguments.append(
        _entry(
            "group", "PyTorch processes that each hold rows of one batch, for torch.distributed."
        )
    )
    constants = [cloud.name for cloud in loss.clouds if not cloud.trained]
    returns = "The loss, a scalar of the kind of the clouds."
    if constants:
        returns += f" Autodiff gives 0 for {', '.join(constants)}."
    wrong = ["clouds that don't fit", "zero or non-finite rows (named)"]
    wrong += [f"{option.name} out of range" for option in loss.options if option.kind != "flag"]
    parts = [
        loss.summary,
        loss.notes.strip(),
        "\n".join(["Args:", *arguments]),
        f"Returns:\n    {returns}",
        "Raises:\n" + _entry("TypeError, ValueError", f"{', '.join(wrong)}."),
        f"Reference:\n    {loss.source}.",
    ]
    return "\n\n".join(part for part in parts if part)
