"""Points on spheres: which are in front, at which step, and on which axis of time."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from PIL import Image

import figures
from figures import uniformity
from figures.__main__ import animate

from ..simulations.smoke import example


def test_curves_are_against_steps_and_against_steps_over_the_squared_norm() -> None:
    result = example("uniformity")
    picture = figures.draw(uniformity, result)
    against_steps, against_time = picture.axes[-2:]
    for row, norm in enumerate(result.start_norm.values):
        steps, time = (np.asarray(a.lines[row].get_xdata()) for a in (against_steps, against_time))
        np.testing.assert_array_equal(steps, result.step[1:])
        np.testing.assert_allclose(time, result.step[1:] / norm**2)
    assert max(result.start_norm.values) > 1
    plt.close(picture)


def test_points_that_face_the_eye_are_drawn_before_those_behind() -> None:
    picture, axes = plt.subplots()
    put = uniformity._sphere(axes, "k")
    # The eye looks down by 35 degrees from y < 0.
    put(np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.1, 1.0, 0.0], [0.2, 0.0, -1.0]]))
    behind, before = (c for c in axes.collections if isinstance(c, PathCollection))
    tilt = np.deg2rad(35)
    np.testing.assert_allclose(
        np.asarray(before.get_offsets()), [[0, -np.sin(tilt)], [0, np.cos(tilt)]]
    )
    np.testing.assert_allclose(
        np.asarray(behind.get_offsets()), [[0.1, np.sin(tilt)], [0.2, -np.cos(tilt)]]
    )
    assert float(behind.get_alpha() or 1) < 1  # and fainter
    plt.close(picture)


def test_the_moving_picture_says_the_step() -> None:
    result = example("uniformity")
    assert result.step.values[-1] != result.sizes["step"] - 1
    moving = uniformity.animate(result)
    last = result.sizes["step"] - 1
    moving._func(last)  # pyright: ignore
    picture = moving._fig  # pyright: ignore
    assert [t.get_text() for t in picture.texts] == [f"step {int(result.step[-1])}"]
    for row, axes in enumerate(picture.axes):
        shown = np.concatenate([c.get_offsets() for c in axes.collections])
        x = result.directions.isel(start_norm=row, step=last).values[:, 0]
        np.testing.assert_allclose(np.sort(shown[:, 0]), np.sort(x))
    moving._draw_was_started = True  # pyright: ignore  # or it warns that it was never shown
    plt.close("all")


def test_the_moving_picture_has_ten_frames_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uniformity, "FRAMES_MOVING", 3)
    path = tmp_path / "uniformity.gif"
    animate(uniformity, example("uniformity").isel(step=[0, 1, -1]), path)
    with Image.open(path) as picture:
        assert picture.info["duration"] == 100  # milliseconds
        assert getattr(picture, "n_frames") == 3  # noqa: B009
