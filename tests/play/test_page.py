"""The page is driven as its readers do: by mouse, finger and keyboard, on any screen, from disk."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import normtheory as nt
from tests.play.browser import attribute, curve, number, opened, put

pytestmark = pytest.mark.browser

AT_ONCE: dict[str, Any] = {"reduced_motion": "reduce"}
"""A run then goes to its end without being shown on the way."""


def _run(page: Any, tab: str) -> None:
    page.click(f"#{tab}-run")
    page.wait_for_function(f"document.getElementById('{tab}-run').textContent === 'Run'")


def _count(state: nt.PairState, rate: float, repel: bool, **options: Any) -> int:
    """Updates until the cosine, measured before an update, is within 1e-3 of where it goes."""
    steps = 0
    while np.cos(state.angle) * (-1 if repel else 1) < 1 - 1e-3:
        state = nt.pair_step(state, rate, repel=repel, **options)
        steps += 1
    return steps


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {}),
        ({"pair_norm_1": 2.5}, {"gradscale": 1.0}),
        ({"pair_repel": True}, {"stop_gradient": True}),
        ({"pair_rate": 0.2}, {"weight_decay": 0.05}),
    ],
    ids=["plain", "gradscale", "repel one", "decay"],
)
def test_closed_form_is_drawn_before_the_run_and_steps_are_counted(browser, settings, options):
    with opened(browser, **AT_ONCE) as page:
        put(page, pair_angle=120, **settings)
        put(
            page,
            pair_gradscale=options.get("gradscale", 0),
            pair_decay=options.get("weight_decay", 0),
            pair_one=options.get("stop_gradient", False),
        )
        norm, rate = settings.get("pair_norm_1", 1.5), settings.get("pair_rate", 0.1)
        state = nt.PairState(np.radians(120), norm, norm)
        repel = "pair_repel" in settings
        kept = {k: v for k, v in options.items() if k != "weight_decay"}
        dashed = curve(page, "pair-chart", "predicted")
        course = [nt.flow_angle(*state, rate * k, repel=repel, **kept) for k, _ in dashed]
        np.testing.assert_allclose([y for _, y in dashed], np.degrees(course), atol=1e-9)
        start = state._replace(angle=np.pi - state.angle) if repel else state
        predicted = nt.steps_to_converge(*start, rate, **kept)
        assert number(page, "pair-predicted") == pytest.approx(predicted, abs=0.051)
        assert page.inner_text("#pair-counted") == "–"
        assert curve(page, "pair-chart", "run") == [(0, pytest.approx(120, abs=1e-9))]
        assert page.is_visible("#pair-note") == ("weight_decay" in options)

        _run(page, "pair")
        assert number(page, "pair-counted") == _count(state, rate, repel, **options)
        steps = [step for step, _ in curve(page, "pair-chart", "run")]
        assert steps[-1] == number(page, "pair-counted")
        assert dashed == curve(page, "pair-chart", "predicted")


def test_step_moves_by_one_and_reset_goes_back(browser):
    with opened(browser) as page:
        put(page, pair_angle=90, pair_norm_1=1, pair_rate=1.0)
        page.click("#pair-step")
        # Both turn by 45 degrees and meet: norms of the square root of 2.
        assert number(page, "pair-steps") == 1
        assert number(page, "pair-now-angle") == 0
        assert number(page, "pair-now-norm-1") == number(page, "pair-now-norm-2") == 1.4142
        radius = [float(attribute(page, f"#plane .{k}", "r")) for k in ("before", "norm")]
        assert radius[1] / radius[0] == pytest.approx(np.sqrt(2))
        page.click("#pair-reset")
        assert number(page, "pair-steps") == 0
        assert number(page, "pair-now-angle") == 90
        assert number(page, "pair-now-norm-1") == 1


def test_pull_is_at_a_right_angle_and_inverse_to_the_norm(browser):
    with opened(browser) as page:
        lengths = []
        for norm in (1.0, 2.0):
            put(page, pair_norm_1=norm, pair_angle=70)
            lines = [attribute(page, f"#plane .{name}", "d") for name in ("vector", "pull")]
            first, second = (
                np.array(re.findall(r"-?[\d.]+", line)[:4], float).reshape(2, 2) for line in lines
            )
            vector, pull = first[1] - first[0], second[1] - second[0]
            assert abs(vector @ pull) < 1e-9 * np.linalg.norm(vector) * np.linalg.norm(pull)
            lengths.append(np.linalg.norm(pull) / np.linalg.norm(vector) * norm)
        assert lengths == pytest.approx([np.sin(np.radians(70)), np.sin(np.radians(70)) / 2])


def test_momentum_is_run_by_and_where_it_sets_the_pace_nothing_is_predicted(browser):
    with opened(browser, **AT_ONCE) as page:
        put(page, pair_angle=120, pair_momentum=0.5, pair_rate=0.01)
        plain = nt.steps_to_converge(np.radians(120), 1.5, 1.5, 0.01)
        assert number(page, "pair-predicted") == pytest.approx(plain / 2, abs=0.051)
        course = [
            np.degrees(nt.flow_angle(np.radians(120), 1.5, 1.5, 0.01 * k / (1 - 0.5)))
            for k, _ in curve(page, "pair-chart", "predicted")
        ]
        found = [y for _, y in curve(page, "pair-chart", "predicted")]
        np.testing.assert_allclose(found, course, atol=1e-9)
        _run(page, "pair")
        assert number(page, "pair-counted") == pytest.approx(plain / 2, rel=0.05)
        assert page.is_hidden("#pair-exact-row")
        put(page, pair_momentum=0.9)
        assert page.inner_text("#pair-predicted") == "–"
        assert "momentum alone" in page.inner_text("#pair-note")
        assert curve(page, "pair-chart", "predicted") == []


def test_run_is_shown_on_the_way_and_can_be_paused(browser):
    with opened(browser, reduced_motion="no-preference") as page:
        put(page, pair_norm_1=3, pair_rate=0.01)
        page.click("#pair-run")
        assert page.inner_text("#pair-run") == "Pause"
        assert page.is_disabled("#pair-step")
        page.wait_for_function("Number(document.getElementById('pair-steps').textContent) > 5")
        page.click("#pair-run")
        seen = number(page, "pair-steps")
        assert 5 < seen < number(page, "pair-predicted")
        page.wait_for_timeout(60)  # some frames, in which nothing may move
        assert number(page, "pair-steps") == seen


def test_where_motion_is_unwelcome_a_run_shows_its_end_alone(browser):
    with opened(browser, **AT_ONCE) as page:
        put(page, pair_rate=0.001, pair_norm_1=3)  # tens of thousands of steps
        page.evaluate(
            """() => {
              window.seen = new Set();
              const steps = document.getElementById("pair-steps");
              new MutationObserver(() => window.seen.add(steps.textContent))
                .observe(steps, { childList: true, characterData: true, subtree: true });
            }"""
        )
        _run(page, "pair")
        assert page.evaluate("[...window.seen]") == [page.inner_text("#pair-counted")]


def test_two_at_rest_are_never_predicted_to_meet(browser):
    with opened(browser) as page:
        put(page, pair_angle=180)
        assert page.inner_text("#pair-predicted") == "never"
        page.click("#pair-step")
        assert page.inner_text("#pair-exact") == "equal"
        assert number(page, "pair-now-angle") == 180


def test_a_run_that_does_not_settle_is_stopped(browser):
    with opened(browser, **AT_ONCE) as page:
        # GradScale of power 2 at an effective rate above 1: no growth of norms mends that.
        put(page, pair_gradscale=2, pair_rate=1.25, pair_angle=140)
        assert "overshoots by more than it mends." in page.inner_text("#pair-note")
        _run(page, "pair")
        assert "does not settle" in page.inner_text("#pair-status")
        assert page.inner_text("#pair-counted") == "–"
        assert number(page, "pair-now-norm-1") > 1e9


def _middle(page: Any, element: str) -> tuple[float, float]:
    box = page.locator(element).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _target(page: Any, norm: float, turned: float) -> tuple[float, float]:
    """Where on the screen a vector's tip is; 3.5 is half the width of the plane."""
    box = page.locator("#plane").bounding_box()
    assert box is not None
    x, y = _middle(page, "#plane")
    length = norm / 3.5 * box["width"] / 2
    return x + length * np.cos(np.radians(turned)), y - length * np.sin(np.radians(turned))


def test_a_tip_is_dragged_by_mouse(browser):
    with opened(browser) as page:
        put(page, pair_equal=False)
        page.click("#pair-step")
        # The plane's upper edge is out of sight: what moves in it may become the page's anchor.
        page.evaluate(
            "window.scrollBy(0, document.getElementById('plane').getBoundingClientRect().top + 9)"
        )
        before = page.evaluate("window.scrollY")
        page.mouse.move(*_middle(page, "#handle-1 .dot"))
        page.mouse.down()
        page.mouse.move(*_target(page, 2.5, -60), steps=4)
        page.mouse.up()
        page.mouse.move(*_target(page, 1.0, 0))  # let go: it stays
        assert number(page, "pair-now-norm-1") == pytest.approx(2.5, abs=0.01)
        assert attribute(page, "#handle-1", "aria-valuenow") == "300"
        assert number(page, "pair-steps") == 0
        assert page.evaluate("window.scrollY") == before
        assert page.input_value("#pair-norm-1") == "2.5"
        # The other one is where the step had brought it, longer than at the start.
        assert number(page, "pair-now-norm-2") > 1.5


def test_a_tip_is_dragged_by_finger(browser):
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    with opened(browser, **phone) as page:
        x, y = _middle(page, "#handle-2 .dot")
        to = _target(page, 2.0, 200)
        device = page.context.new_cdp_session(page)
        way = [(x + (to[0] - x) * s, y + (to[1] - y) * s) for s in (0, 0.3, 0.6, 1)]
        for k, (u, v) in enumerate(way):
            kind = "touchMove" if k else "touchStart"
            device.send(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": u, "y": v}]}
            )
        device.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        # One norm for both, as chosen.
        assert number(page, "pair-now-norm-1") == pytest.approx(2.0, abs=0.02)
        assert number(page, "pair-now-norm-2") == pytest.approx(2.0, abs=0.02)
        assert attribute(page, "#handle-2", "aria-valuenow") == "200"


def test_a_tip_is_moved_by_keys(browser):
    with opened(browser) as page:
        put(page, pair_angle=100)
        tip = page.get_by_role("slider", name="Vector z 1")
        before = int(attribute(page, "#handle-1", "aria-valuenow"))
        tip.press("ArrowLeft")
        tip.press("Shift+ArrowLeft")
        tip.press("ArrowUp")
        tip.press("ArrowUp")
        tip.press("ArrowDown")
        assert int(attribute(page, "#handle-1", "aria-valuenow")) == before + 11
        assert number(page, "pair-now-angle") == 89
        assert number(page, "pair-now-norm-1") == 1.55
        assert "norm 1.55, angle between the two 89 degrees" in attribute(
            page, "#handle-1", "aria-valuetext"
        )


def test_tabs_follow_the_keys(browser):
    with opened(browser) as page:
        page.get_by_role("tab", name="Two vectors").focus()
        page.keyboard.press("ArrowRight")
        sphere = page.get_by_role("tab", name="Points on a sphere")
        assert sphere.get_attribute("aria-selected") == "true"
        assert page.evaluate("document.activeElement.id") == "tab-sphere"
        assert page.is_visible("#panel-sphere")
        assert page.is_hidden("#panel-pair")
        page.keyboard.press("Home")
        assert page.is_visible("#panel-pair")


@pytest.mark.parametrize("tab", ["pair", "sphere"])
def test_everything_that_is_moved_or_read_has_a_name(browser, tab):
    with opened(browser, tab) as page:
        # One line an element: its role, its name in quotation marks if it has one, its value.
        lines = page.locator("body").aria_snapshot().splitlines()
        moved = [
            line for line in lines if re.match(r"\s*- (button|slider|radio|checkbox|tab)\b", line)
        ]
        assert len(moved) > 10
        assert [line for line in moved if not re.match(r'\s*- \w+ "\w', line)] == []
        assert page.locator(f"#panel-{tab} [role=status]").count() == 1


@pytest.mark.parametrize("tab", ["pair", "sphere"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_of_360_pixels_in_both_schemes(browser, tab, scheme):
    size = {"width": 360, "height": 740}
    with opened(browser, tab, viewport=size, color_scheme=scheme) as page:
        put(page, pair_decay=0.05, pair_momentum=0.5)  # with a note
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        heights = page.evaluate(
            "[...document.querySelectorAll('button')].filter((b) => b.offsetParent)"
            ".map((b) => b.offsetHeight)"
        )
        assert min(heights) >= 44
        colors = page.evaluate(
            "['body', '.lead', '.note', '.main', '.key.pull', 'a'].map((of) => {"
            "const own = document.querySelector(of);"
            "for (let e = own; ; e = e.parentElement) {"
            "const ground = getComputedStyle(e).backgroundColor;"
            "if (ground !== 'rgba(0, 0, 0, 0)') return [getComputedStyle(own).color, ground]; } })"
        )
        assert (_light(colors[0][1]) < 0.05) == (scheme == "dark")
        for ink, ground in colors:
            low, high = sorted((_light(ink), _light(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2, text of normal size


def _light(color: str) -> float:
    """Relative luminance of an rgb() colour, as WCAG 2 defines it."""
    rgb = np.array(re.findall(r"[\d.]+", color)[:3], float) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_points_spread_as_predicted_and_four_times_later_at_twice_the_norm(browser):
    with opened(browser, "sphere", **AT_ONCE) as page:
        predicted, counted = [], []
        for norm in (1.0, 2.0):
            put(page, sphere_n=12, sphere_norm=norm, sphere_rate=0.05)
            before = number(page, "sphere-uniformity")
            predicted.append(number(page, "sphere-predicted"))
            _run(page, "sphere")
            counted.append(number(page, "sphere-counted"))
            assert number(page, "sphere-uniformity") < -2.08 < before
            falls = [value for _, value in curve(page, "sphere-chart", "run")]
            assert np.all(np.diff(falls) < 0)
        assert predicted[1] == pytest.approx(4 * predicted[0], abs=0.25)  # a digit after the point
        # Steps are finite, and counted whole.
        assert counted == pytest.approx(predicted, rel=0.02, abs=2)


def test_an_umbrella_is_predicted_in_closed_form(browser):
    with opened(browser, "sphere", **AT_ONCE) as page:
        put(page, sphere_n=3, sphere_width=10, sphere_rate=0.01, sphere_temperature=0.2)
        cosine = 1 - 1.5 * np.sin(np.radians(10)) ** 2  # of three points 10 degrees off one axis
        even = np.log(-np.expm1(-8) / 8)
        rate, tau = page.evaluate("[read('sphere-rate'), read('sphere-temperature')]")
        steps = nt.symmetric.simplex_steps(
            "info_nce", cosine, 1 + even / 4, 3, 1.0, rate, steepness=1 / tau
        )
        assert number(page, "sphere-predicted") == pytest.approx(float(steps), abs=0.051)
        assert "simplex_steps" in page.inner_text("#sphere-how")
        _run(page, "sphere")
        assert number(page, "sphere-counted") == pytest.approx(float(steps), rel=0.02)


def test_where_the_flow_is_not_followed_to_its_goal_nothing_is_predicted(browser):
    with opened(browser, "sphere", **AT_ONCE) as page:
        page.evaluate("normtheory.time_to = () => Infinity")
        put(page, sphere_n=8)
        assert page.inner_text("#sphere-predicted") == "–"
        assert "not followed that far" in page.inner_text("#sphere-note")
        _run(page, "sphere")
        assert re.fullmatch(
            r"As even as a uniform draw after \d+ steps\.", page.inner_text("#sphere-status")
        )


def test_sphere_turns_by_key_and_mouse_without_moving_its_points(browser):
    with opened(browser, "sphere") as page:
        globe = page.get_by_role("slider", name="View of the sphere")
        before = int(attribute(page, "#globe", "aria-valuenow"))
        globe.press("ArrowRight")
        assert int(attribute(page, "#globe", "aria-valuenow")) == before + 5
        uniformity = number(page, "sphere-uniformity")
        x, y = _middle(page, "#globe")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y, steps=3)
        page.mouse.up()
        assert int(attribute(page, "#globe", "aria-valuenow")) > before + 10
        assert number(page, "sphere-uniformity") == uniformity
        page.click("#sphere-draw")
        assert number(page, "sphere-uniformity") != uniformity
