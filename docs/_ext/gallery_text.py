"""What the gallery says of figures, as MyST text.

Which figure belongs to which claim the claim says (``shown_by``), not the names of files.
"""

from __future__ import annotations

import os
from pathlib import Path

from page_parts import ROOT, folded, link, picture, source_link, told, words

from normtheory.claims import Claim


def figure_entry(name: str, claims: list[Claim], drawn: Path, page: Path) -> str:
    """One drawn figure of the gallery: what it shows, of which claims, and how to draw it."""
    script = ROOT / "figures" / f"{name}.py"
    lines = [f"### {words(name)}", "", *picture(name, drawn, page)]
    moving = drawn / f"{name}.gif"
    if moving.exists():
        lines += [f"![{words(name)}, moving]({os.path.relpath(moving, page.parent)})", ""]
    if claims:
        shown = ", ".join(f"{{ref}}`{claim.title} <{claim.name}>`" for claim in claims)
        lines += [f"*Shows* {shown}.", ""]
    made = [path for kind in ("png", "pdf") if (path := drawn / f"{name}.{kind}").exists()]
    files = [source_link(script, page), *(link(path.name, path, page) for path in made)]
    lines += [f"*Draw it:* `python -m figures {name}` · {' · '.join(files)}", ""]
    if rerun := told(drawn / f"{name}.png").get("Comment"):
        lines += folded("With the settings of this picture", "```sh", rerun, "```")
    return "\n".join(lines)


def gallery(claims: list[Claim], drawn: Path, page: Path) -> str:
    """All figures in a folder: those that show claims, then those that stand on their own."""
    entries: dict[str, list[str]] = {"Claims": [], "On their own": []}
    for name in sorted(png.stem for png in drawn.glob("*.png")):
        shown = [claim for claim in claims if name in claim.shown_by]
        heading = "Claims" if shown else "On their own"
        entries[heading].append(figure_entry(name, shown, drawn, page))
    parts = [(f"## {heading}", *found) for heading, found in entries.items() if found]
    return "\n\n".join(text for part in parts for text in part)
