"""The benchmark of the command: its files hold what it says, and a failure is not a time."""

from __future__ import annotations

import numpy as np
import pytest

from normtheory.diagnosis._files import read
from tests.benchmarks.diagnose import SUFFIXES, embeddings, run, write


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_file_holds_the_same_embeddings(tmp_path, suffix):
    pytest.importorskip({"safetensors": "safetensors", "parquet": "pyarrow"}.get(suffix, "numpy"))
    path = tmp_path / f"z.{suffix}"
    write(path, 50, 4)
    np.testing.assert_array_equal(read(path), embeddings(50, 4))


def test_a_run_is_measured_and_a_failed_one_is_an_error():
    held = np.ones(3 * 10**7)  # 240 MB, which are not those of the command
    peak, seconds = run("platform")
    assert 5e6 < peak < held.nbytes
    assert 0 < seconds < 60
    with pytest.raises(RuntimeError, match=r"no_such_module.*exit status 1"):
        run("no_such_module")
