"""The numbers that the paper's public code prints, from published.json beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def published(name: str) -> dict[str, Any]:
    """Settings and printed outputs of one of the paper's simulations."""
    return json.loads((Path(__file__).parent / "published.json").read_text())[name]
