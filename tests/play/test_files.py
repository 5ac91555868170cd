"""What the files of the page hold, without a browser."""

from __future__ import annotations

import re

from tests.play.browser import MATHEMATICS, PLAY


def test_page_is_linked_and_its_links_lead_to_pages_of_the_site():
    docs = PLAY.parent
    assert "(docs/play/index.html)" in (docs.parent / "README.md").read_text()
    assert 'href="play/index.html"' in (docs / "index.md").read_text()
    links = re.findall(r'(?:href|src)="([^"]+)"', (PLAY / "index.html").read_text())
    assert "../theory.html" in links
    for link in links:
        page = PLAY / link.replace(".html", ".md") if link.startswith("../") else PLAY / link
        assert link == "data:," or page.exists(), link


def test_mathematics_stand_in_one_file_that_draws_nothing():
    assert not re.search(r"\b(document|window|svg|fetch|Date|performance)\b", MATHEMATICS)
