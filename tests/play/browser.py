"""The page to play with in a real browser: opened, watched, set, and its mathematics called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.conftest import CHROMIUM, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PLAY = ROOT / "docs" / "play"
MATHEMATICS = (PLAY / "mathematics.js").read_text(encoding="utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, tab: str = "pair", **options: Any) -> Iterator[Page]:
    """A tab of the page from disk, offline: errors and requests elsewhere fail the test."""
    with browser.new_context(offline=True, **options) as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{(PLAY / 'index.html').as_uri()}#{tab}")
        yield page
        assert wrong == []
        folder = PLAY.as_uri() + "/"
        assert [url for url in asked if not url.startswith((folder, "data:"))] == []


def put(page: Page, **values: float | bool) -> None:
    """Set inputs by their ids, with ``_`` for ``-``; a slider to the number that it stands for."""
    page.evaluate(
        """(values) => {
          for (const [id, value] of Object.entries(values)) {
            const input = document.getElementById(id);
            if (typeof value === "boolean") input.checked = value;
            else input.value = input.dataset.scale === "log" ? Math.log10(value) : value;
            input.dispatchEvent(new Event("input", { bubbles: true }));
          }
        }""",
        {name.replace("_", "-"): value for name, value in values.items()},
    )


def number(page: Page, element: str) -> float:
    """What an element shows, as a number."""
    words = page.inner_text(f"#{element}")
    return float(words.replace("−", "-").replace("\u202f", "").rstrip("°"))


def attribute(page: Page, element: str, name: str) -> str:
    """An attribute that an element must have."""
    value = page.get_attribute(element, name)
    assert value is not None, f"{element} has no {name}"
    return value


def curve(page: Page, chart: str, name: str) -> list[tuple[float, float]]:
    """The points of a chart's curve: step and value."""
    path = attribute(page, f"#{chart} path.{name}", "d")
    points = [part.split() for part in path[1:].split("L")] if path else []
    return [(float(x), float(y)) for x, y in points]


def compute(browser: Browser, name: str, cases: list[Any], source: str = MATHEMATICS) -> list[Any]:
    """A function of mathematics.js on lists of arguments, all in one call of the browser.

    Arguments and results go as JSON, which keeps every digit of a float.
    """
    page = browser.new_page()
    found = page.evaluate(
        """([source, name, cases]) => {
          const found = new Function(`${source}; return normtheory;`)();
          return JSON.stringify(JSON.parse(cases).map((given) => found[name](...given)));
        }""",
        [source, name, json.dumps(cases)],
    )
    page.close()
    return json.loads(found)
