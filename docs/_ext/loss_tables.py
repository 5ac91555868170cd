"""The directive `losses`: tables and reference of LOSSES, made from the objects themselves.

The next loss is on the page as soon as it is in LOSSES.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxDirective

from normtheory.losses import DISOBEDIENT, LOSSES, Disobedient, Loss

ROOT = Path(__file__).resolve().parents[2]


def names(loss: Loss, trained: bool) -> str:
    """The clouds that are trained, or those that count as constants."""
    found = [f"`{cloud.name}`" for cloud in loss.clouds if cloud.trained is trained]
    return ", ".join(found) or "none"


def losses_table() -> str:
    """LOSSES as a MyST table."""
    lines = [
        "| loss | closed-form gradient | source | trained | stopped gradient |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, loss in LOSSES.items():
        value, gradient = (
            f"{{py:obj}}`{f} <normtheory.losses.{f}>`" for f in (name, f"{name}_gradient")
        )
        lines.append(
            f"| {value} | {gradient} | {loss.source} | {names(loss, True)} | {names(loss, False)} |"
        )
    return "\n".join(lines)


def exponent(number: float) -> str:
    """An exponent with a proper minus sign."""
    return f"{number:g}".replace("-", "−")


def disobedient_table() -> str:
    """DISOBEDIENT as a MyST table of exponents, and a list of reasons."""

    def row(record: Disobedient) -> str:
        ends = (f"{x:g}".replace("-", "−") for x in record.norms)
        return (
            f"| `{record.name}` | {record.source} | {exponent(record.exponent)} "
            f"| {exponent(record.own_exponent)} | {' to '.join(ends)} |"
        )

    return "\n".join(
        [
            "| loss | source | all rows | one row | at norms |",
            "| --- | --- | ---: | ---: | ---: |",
            *(row(record) for record in DISOBEDIENT.values()),
            "",
            *(f"- `{r.name}`: {r.reason}; {r.behaviour}." for r in DISOBEDIENT.values()),
        ]
    )


def reference(config: Config) -> str:
    """Every loss as a function in reStructuredText, from its signature and docstring."""
    parts = [".. py:currentmodule:: normtheory.losses", ""]
    for name, loss in LOSSES.items():
        text = GoogleDocstring(loss.__doc__ or "", config, what="function", name=name, obj=loss)
        gradient = f".. py:function:: {name}_gradient{loss.signature}"
        trained = names(loss, True).replace("`", "``")
        parts += [
            f".. py:function:: {name}{loss.signature}",
            "",
            textwrap.indent(str(text), "   "),
            "",
            gradient,
            "",
            f"   The gradient of :py:func:`{name}` with respect to {trained}, a tuple.",
            "",
        ]
    return "\n".join(parts)


class Losses(SphinxDirective):
    """One of the two tables, `obedient` or `disobedient`, or the `reference`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the table."""
        for path in (ROOT / "normtheory" / "losses").rglob("*.py"):
            self.env.note_dependency(str(path))
        tables = {"obedient": losses_table, "disobedient": disobedient_table}
        which = self.arguments[0]
        if which == "reference":
            text = f"``````{{eval-rst}}\n{reference(self.config)}\n``````"
            return self.parse_text_to_nodes(text)
        if which not in tables:
            raise self.error(f"expected obedient or disobedient, got {which}")
        return self.parse_text_to_nodes(tables[which]())


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("losses", Losses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
