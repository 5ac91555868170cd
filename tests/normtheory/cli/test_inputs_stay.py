"""No command writes over what it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from normtheory import cli
from normtheory.cli import app

CONFIGURATION = Path(cli.__file__).parent / "examples" / "pairs.toml"


@pytest.mark.parametrize("of", ["FILE", "--labels", "--second-view", "--before", "--columns"])
@pytest.mark.parametrize("link", [False, True])
def test_a_page_is_not_written_over_an_input(tmp_path: Path, of: str, link: bool) -> None:
    rng = np.random.default_rng(0)
    files = {"FILE": "z.npy", "--labels": "l.npy", "--second-view": "y.npy"}
    files |= {"--before": "b.npy", "--columns": "c.npy"}
    np.save(tmp_path / "z.npy", rng.standard_normal((20, 3)))
    np.save(tmp_path / "y.npy", rng.standard_normal((20, 3)))
    for name in ("l", "b", "c"):
        np.save(tmp_path / f"{name}.npy", np.arange(20) % 2)
    page = tmp_path / files[of]
    before = page.read_bytes()
    if link:
        (tmp_path / "page.html").symlink_to(page)
        page = tmp_path / "page.html"
    found = CliRunner().invoke(
        app,
        [
            "diagnose",
            str(tmp_path / "z.npy"),
            *("--labels", str(tmp_path / "l.npy")),
            *("--second-view", str(tmp_path / "y.npy")),
            *("--before", str(tmp_path / "b.npy")),
            *("--columns", str(tmp_path / "c.npy")),
            *("--html", str(page)),
        ],
    )
    assert found.exit_code == 2
    assert f"is the file that {of} is read from; it stays as it is" in found.output
    assert (tmp_path / files[of]).read_bytes() == before


def test_a_result_is_not_written_over_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_bytes(CONFIGURATION.read_bytes())
    found = CliRunner().invoke(app, ["simulate", str(config), "--output", str(config)])
    assert found.exit_code == 2
    assert "is the file that the configuration is read from" in found.output
    assert config.read_bytes() == CONFIGURATION.read_bytes()
