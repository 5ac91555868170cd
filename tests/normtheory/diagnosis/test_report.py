"""The report as text, JSON and HTML."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context

import normtheory as nt
from normtheory import claims
from tests.helpers import HOSTILE
from tests.normtheory.diagnosis.data import clusters, embeddings

OPTIONS = {
    "learning_rate": 2.0,
    "weight_decay": 0.01,
    "batch_size": 100,
    "reduction": "mean",
}


@pytest.fixture(scope="module")
def report() -> nt.Diagnosis:
    z, labels = clusters()
    names = np.array(["<script>alert(1)</script>", "$\\frac", "plain & simple"])[labels]
    return nt.diagnose(z, names, second_view=z[:, ::-1].copy(), **OPTIONS)


class _Page(HTMLParser):
    """Tags still open, every reference to elsewhere, the pictures, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.pictures: list[tuple[str, bytes]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        if tag == "img":
            head, _, data = given["src"].partition(",")
            assert head == "data:image/svg+xml;base64"
            self.pictures.append((given["alt"], base64.b64decode(data)))
        self.references += [
            v for k, v in given.items() if k in ("href", "src") and v[:5] != "data:"
        ]
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    return page


def test_page_is_whole_and_loads_nothing(report, tmp_path):
    html = report.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    page = _read(html)
    assert page.open == []
    assert page.references == []
    assert "@import" not in html
    assert "url(" not in html
    assert len(page.pictures) == 5
    for alternative, picture in page.pictures:
        assert alternative
        assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_labels_are_shown_as_they_are_and_run_nothing(report):
    html = report.to_html()
    assert "<script" not in html
    assert "<script>alert(1)</script>" in _read(html).text
    assert "$\\frac" in _read(html).text


def test_same_report_same_page_whatever_the_settings_of_matplotlib(report):
    page = report.to_html()
    with rc_context(HOSTILE):
        assert report.to_html() == page


def test_text_of_the_user_is_shown_and_not_obeyed():
    z, labels = clusters()
    names = ["\x1b[2Jescape\0", "two\nlines \udc80", 200_000 * "猫" + "\u202e"]
    found = nt.diagnose(z, [names[k] for k in labels])
    said = [r"\x1b[2Jescape\x00", r"two\nlines \udc80", rf"{39 * '猫'}…{19 * '猫'}\u202e"]
    text, html = str(found), _read(found.to_html())
    for shown, n in zip(said, np.bincount(labels), strict=True):
        (line,) = [x for x in text.splitlines() if x.startswith(f"  {shown}  ")]
        assert int(line.split()[-5]) == n
        assert shown in html.text
    for page in (text, found.to_html()):
        assert len(page.encode("utf-8")) < 500_000
        assert not set(page) & set("\x1b\0\u202e")
    data = json.loads(found.to_json().encode("ascii"))
    assert {row["label"] for row in data["classes"]["by_norm"]} == set(names)


def test_page_of_the_barest_report():
    page = _read(nt.diagnose(embeddings())._repr_html_())
    assert page.open == []
    assert len(page.pictures) == 2
    assert "give learning_rate, batch_size and reduction" in page.text


def test_page_of_many_classes():
    labels = [f"class number {i} with a name of some length" for i in range(50)] * 4
    found = nt.diagnose(embeddings(), labels)
    assert "Of 50 classes the first and last 12 are shown" in str(found)
    assert len(_read(found.to_html()).pictures) == 4


def test_classes_beyond_a_thousand_are_counted_and_left_out():
    z = embeddings(2600)
    labels = np.arange(2600) // 2
    found = nt.diagnose(z, labels, sample=1200)
    assert found.classes is not None
    assert (found.classes.count, found.classes.left_out) == (1300, 300)
    said = " ".join(str(found).split())
    assert "Of 1300 classes the first and last 12 are shown" in said
    assert "list 1000, half of them from each end, and leave out 300" in said
    assert "The correlation is over 1200 classes, drawn with seed 0" in said
    norms = np.linalg.norm(z, axis=1).reshape(1300, 2).mean(axis=1)
    order = np.argsort(norms)
    expected = [str(i) for i in [*order[:500], *order[-500:]]]
    assert [row.label for row in found.classes.by_norm] == expected
    data = json.loads(found.to_json())["classes"]
    assert len(data["by_norm"]) == 1000
    assert data["left_out"] == 300
    assert _read(found.to_html()).open == []
    all_listed = nt.diagnose(z[:2000], labels[:2000])
    assert all_listed.classes is not None
    assert (len(all_listed.classes.by_norm), all_listed.classes.left_out) == (1000, 0)
    assert "leave out" not in str(all_listed)
    assert "The correlation is over" not in str(all_listed)


def test_a_page_that_cannot_be_written_leaves_nothing(report, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        report.to_html(tmp_path / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_text_and_page_tell_the_same_numbers(report):
    text = " ".join(str(report).replace("\u00a0", " ").split())
    page = " ".join(_read(report.to_html()).text.replace("\u00a0", " ").split())
    median = f"{report.norms.median:.4g}"
    slowdown = f"{report.turning.slowdown:.4g}"
    for said in (median, slowdown, f"{report.neighbours.accuracy:.4g}", "As free embeddings"):
        assert said in text
        assert said in page
    assert max(map(len, str(report).splitlines())) <= 100


def test_every_number_has_a_formula_and_a_source_that_exists(report):
    data = report.to_dict()
    sources = data.pop("sources")
    assert len(sources) >= 30
    known = set(claims.list())
    named = set()
    for place, source in sources.items():
        part, name = place.split(".")
        assert name in data[part]
        assert source["label"]
        assert source["formula"]
        assert source["source"]
        # "claim a; GradScale: claim b" and "claims a, b".
        for said in re.findall(r"claims? (\w+(?:, \w+)*)", source["source"]):
            named |= set(said.split(", "))
    assert {"norm_effect", "gradscale", "weight_decay", "cut_init", "quartic_growth"} <= named
    assert named <= known
    # The text's list of formulas holds them all.
    formulas = " ".join(str(report).split("Formulas and sources")[1].split())
    for place, source in sources.items():
        part, name = place.split(".")
        if data[part][name] is not None:
            assert f"{source['formula']} ({source['source']})" in formulas


def test_json_reads_back(report):
    data = json.loads(report.to_json())
    assert data == json.loads(json.dumps(report.to_dict()))
    assert data["n"] == 300
    assert data["options"]["batch_size"] == 100
    assert data["norms"]["quantiles"]["50"] == report.norms.median
    assert data["neighbours"]["norm_and_accuracy"]["rho"] == report.neighbours.norm_and_accuracy.rho
    assert len(data["neighbours"]["buckets"]) == 10
    assert data["classes"]["by_norm"][0]["label"] == report.classes.by_norm[0].label
    assert data["unexpected"]["rows"] == list(report.unexpected.rows)
