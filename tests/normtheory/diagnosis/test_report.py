"""The report as text, JSON and HTML."""

from __future__ import annotations

import base64
import json
import re
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context

import normtheory as nt
from normtheory import claims
from normtheory.diagnosis._parts import brief
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


@pytest.fixture(scope="module")
def html(report) -> str:
    """Its page: pictures take their time."""
    return report.to_html()


class _Page(HTMLParser):
    """Tags still open, every reference to elsewhere, the pictures, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.places: set[str] = set()
        self.folded = 0
        self.pictures: list[tuple[str, bytes]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.places.add(given.get("id", ""))
        self.folded += tag == "details"
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


def test_page_is_whole_and_loads_nothing(report, html, tmp_path):
    assert report.to_html(tmp_path / "report.html") == html
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    page = _read(html)
    assert page.open == []
    # References lead to the page's own list of claims.
    assert {"#claim-norm_effect", "#claim-gradscale", "#claim-cut_init"} <= {*page.references}
    assert {place.removeprefix("#") for place in page.references} <= page.places
    assert "@import" not in html
    assert "url(" not in html
    assert len(page.pictures) == 5
    for alternative, picture in page.pictures:
        assert alternative
        assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_labels_are_shown_as_they_are_and_run_nothing(html):
    assert "<script" not in html
    assert "<script>alert(1)</script>" in _read(html).text
    assert "$\\frac" in _read(html).text


def test_same_report_same_page_whatever_the_settings_of_matplotlib(report, html):
    with rc_context(HOSTILE):
        assert report.to_html() == html


def test_text_of_the_user_is_shown_and_not_obeyed():
    z, labels = clusters()
    names = ["\x1b[2Jescape\0", "two\nlines \udc80", 200_000 * "猫" + "\u202e"]
    found = nt.diagnose(z, [names[k] for k in labels])
    said = [r"\x1b[2Jescape\x00", r"two\nlines \udc80", rf"{39 * '猫'}…{19 * '猫'}\u202e"]
    text, html = str(found), found.to_html()
    for shown, n in zip(said, np.bincount(labels), strict=True):
        (line,) = [x for x in text.splitlines() if x.startswith(f"  {shown}  ")]
        assert int(line.split()[-5]) == n
        assert shown in _read(html).text
    for page in (text, html):
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


def test_text_and_page_tell_the_same_numbers(report, html):
    text = " ".join(str(report).replace("\u00a0", " ").split())
    page = " ".join(_read(html).text.replace("\u00a0", " ").split())
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
    numbers, formulas = report.text(formulas=True).split("Formulas and sources")
    formulas = " ".join(formulas.split())
    for place, source in sources.items():
        part, name = place.split(".")
        if data[part][name] is not None:
            said = f"{source['formula']} ({source['source']})"
            assert said in formulas
    (mark,) = re.findall(r"\nGradScale power p +\S+  (\[\d+\])\n", numbers)
    assert f"{mark} 2 - ln(target) / ln(ρ_top / ρ_bottom)" in formulas
    # They are there on demand.
    assert "plain statistics" in formulas
    assert "plain statistics" not in str(report)
    assert "[1]" not in str(report)
    assert "--formulas" in str(report).splitlines()[-1]


def test_the_answer_comes_first(report, html):
    lines = str(report).splitlines()
    said = " ".join(" ".join(lines[2 : lines.index("Suggestions")]).split())
    # What a warning says is not said twice.
    assert said.startswith(f"WARNING: {report.warnings[0]}. Norms: a factor of ")
    assert [line.split(":")[0] for line in report.summary] == [
        "Norms",
        "Learning rate",
        "Meaning",
        "Directions",
        "To do",
    ]
    assert report.summary[-1] == (
        f"To do: GradScale with p = {report.advice.gradscale:.2f} would even out the speeds"
    )
    page = _read(html)
    for line in report.summary:
        assert f"{line}." in said
        assert page.text.index(f"{line}.") < page.text.index("Suggestions")
    assert report.to_dict()["summary"] == [*report.summary]
    assert page.text.index("Suggestions") < page.text.index("percentiles")


def test_the_page_says_what_it_is_of(report):
    page = _read(report.to_html(source="run 7/<z>.npy"))
    options = "learning_rate 2.0, weight_decay 0.01, batch_size 100, reduction mean"
    assert f"run 7/<z>.npy · options: {options} · {date.today()}" in page.text
    assert f"normtheory {nt.__version__}" in page.text
    assert page.folded >= 6


def test_an_interval_of_no_width_is_not_shown_as_one():
    z = np.arange(1.0, 11)[:, None] * np.array([1.0, 2.0])
    found = nt.diagnose(z, target=np.arange(10.0))
    assert found.proxy is not None
    correlation = found.proxy.norm_and_target
    assert correlation is not None
    assert (correlation.low, correlation.high) == (1.0, 1.0)
    assert "+1.000  (no interval: resamples agree; n = 10)" in str(found).replace("\u00a0", " ")
    assert "[+1.000, +1.000]" not in str(found)
    assert brief(correlation) == "+1.00"


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
