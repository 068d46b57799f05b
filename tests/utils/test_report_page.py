"""The page of a report: one file, well formed, accessible, the same for the same input."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest

from core.errors import RecArenaError
from report_data import HOSTILE, PROTOCOL, hostile_report, make_report, make_run
from utils.report.data import Report
from utils.report.page import address, render
from utils.report.parts import NONE, number

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """What a page is made of; closing tags must match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.text: Counter[str] = Counter()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        self.elements.append((tag, {k: v or "" for k, v in attrs}, tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}, tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text[data.strip()] += 1

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs, _ in self.elements if tag in tags]


@pytest.fixture(scope="module")
def text() -> str:
    return render(make_report())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


@pytest.fixture(scope="module")
def hostile() -> str:
    return render(hostile_report())


def test_ids_are_unique_and_references_lead_somewhere(page: Page) -> None:
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert [one for one, n in Counter(ids).items() if n > 1] == []
    wanted = [
        name
        for _, attrs, _ in page.elements
        for key in ("aria-labelledby", "aria-describedby")
        for name in attrs.get(key, "").split()
    ]
    for _, attrs, _ in page.elements:
        wanted += re.findall(r"^#(.+)$", attrs.get("href", ""))
        wanted += re.findall(r"url\(#(.+?)\)", attrs.get("clip-path", ""))
    assert len(wanted) > 50
    assert set(wanted) <= set(ids)


def test_headings_are_in_order_below_one(page: Page) -> None:
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_landmarks_language_and_a_way_past_the_navigation(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1, landmark
    first = page.all("a")[0]
    assert first == {"class": "skip", "href": "#main"}
    assert page.all("main")[0]["id"] == "main"
    names = {one["href"][1:] for one in page.all("a") if one["href"].startswith("#")}
    assert {one["id"] for one in page.all("section")} <= names


def test_tables_have_captions_and_heads_with_a_scope(page: Page) -> None:
    tables = len(page.all("table"))
    assert tables >= 9
    assert len(page.all("caption")) == tables
    assert all(one.get("scope") in ("row", "col") for one in page.all("th"))
    regions = [one for one in page.all("div") if one.get("class") == "scroll"]
    assert len(regions) == tables
    assert all(one["tabindex"] == "0" and one["role"] == "region" for one in regions)


def test_drawings_say_what_they_show(page: Page, text: str) -> None:
    drawings = page.all("svg")
    assert len(drawings) == len(page.all("figure")) == len(page.all("figcaption")) >= 8
    assert all(one["role"] == "img" and one["viewbox"] for one in drawings)
    assert len(page.all("desc")) == len(drawings)
    said = re.findall(r"<desc[^>]*>(.*?)</desc>", text)
    assert all(len(one) > 30 for one in said)


def test_nothing_comes_from_elsewhere_and_nothing_runs(page: Page, hostile: str) -> None:
    for one in (page, Page(hostile)):
        assert not one.all("script", "iframe", "object", "embed", "img", "base", "form")
        for tag, attrs, _ in one.elements:
            assert not [name for name in attrs if name.startswith("on") or name == "src"], attrs
            if tag != "a":
                assert attrs.get("href", "#").startswith(("#", "data:,")), attrs
            assert "url(http" not in attrs.get("style", "")
    style = (files("utils.report") / "style.css").read_text()
    assert "@import" not in style
    assert "url(" not in style


def test_hostile_names_are_shown_as_text(hostile: str) -> None:
    found = Page(hostile)
    shown = " ".join(found.text)
    for name in HOSTILE[:4]:
        assert name in shown
    assert "{{ 7 * 7 }}" in shown
    assert "[31m" in shown
    assert not set("\x00\x1b\u202e\u2066") & set(hostile)
    assert "�" in shown
    assert found.all("title")  # and what follows it
    assert len(found.all("section")) == 10


def test_equal_input_gives_equal_bytes(text: str) -> None:
    assert render(make_report()) == text


def test_it_is_small(text: str, hostile: str) -> None:
    assert len(text.encode()) < 200_000
    assert len(render(make_report(tuple(f"run {n}" for n in range(40)))).encode()) < 1_000_000


def test_the_numbers_are_those_of_the_runs(page: Page) -> None:
    report = make_report()
    best = report.ranked[0]
    shown = " ".join(page.text)
    assert best.run.label == "SVD"
    assert f"{best.run.values.mean():.4f}" in page.text
    assert f"SVD has the highest NDCG@10: {best.run.values.mean():.4f}" in shown
    assert "random" in page.text
    assert "3.2 % of the test ratings are of items without a train rating" in shown
    assert "k 5 instead of 10" in page.text
    assert "the newest 5 ratings of each user are the test set" in shown
    assert "divided by min(|R|, k), which matters where k < |R|" in page.text  # LensKit's recall


def test_a_protocol_that_is_not_known_is_said_to_be() -> None:
    said = Page(render(make_report(protocol=PROTOCOL | {"split": "by_mood"}))).text
    assert any("a protocol that is not known here" in one for one in said)
    assert "by_mood" in said


def test_the_leakage_line_is_the_runs_own() -> None:
    report = make_report()
    ranked = [replace(one, run=replace(one.run, tags={"leakage": "It leaks."}))
              for one in report.ranked]  # fmt: skip
    page = Page(render(replace(report, ranked=ranked)))
    assert "It leaks." in page.text
    assert not any("are of items without a train rating" in one for one in page.text)


def test_older_runs_lack_sections_and_it_says_which() -> None:
    report = make_report()
    ranked = [
        replace(
            one,
            run=replace(
                one.run,
                items=None if one.run.label == "MF" else one.run.items,
                users={k: v for k, v in one.run.users.items() if k != "n_train"},
                surroundings={},
                packages={},
                metrics={"ndcg_at_k": 0.1},
                seconds={},
                curves={},
            ),
        )
        for one in report.ranked
    ]
    shown = " ".join(Page(render(replace(report, ranked=ranked))).text)
    assert "Not shown: runs were made before runs left n_train in per_user.parquet." in shown
    assert "Not shown: runs (MF) were made before runs left evaluation/items.parquet." in shown
    assert "None of these runs reported a learning curve." in shown


def test_one_run_alone_and_no_hit_at_all() -> None:
    shown = " ".join(Page(render(make_report(("SVD",), left_out=()))).text)
    assert "SVD has the highest" in shown
    run = make_run("random", 0.0)
    nothing = Report.of([run], dataset="x", fingerprint="y", protocol=PROTOCOL, experiment="z")
    assert np.all(run.values == 0)
    assert "0.0000" in Page(render(nothing)).text


def test_runs_that_are_all_tied_are_said_to_be(text: str) -> None:
    runs = [replace(make_run("A", 0.3), run_id="a"), replace(make_run("B", 0.3), run_id="b")]
    report = Report.of(runs, dataset="x", fingerprint="y", protocol=PROTOCOL, experiment="z")
    assert [one.standing.place for one in report.ranked] == [1, 1]
    assert "These users cannot tell it from B" in render(report)
    assert "These users cannot tell it from" not in text


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_that_of_wcag_aa(scheme: int) -> None:
    style = (files("utils.report") / "style.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", blocks[scheme]))
    for name in ("fg", "muted", "accent", *(f"s{n}" for n in range(1, 7))):  # text
        assert contrast(colours[name], colours["bg"]) >= 4.5, name
        assert contrast(colours[name], colours["stripe"]) >= 4.5, name
    for name in ("focus", "h2", "h3"):
        assert contrast(colours[name], colours["bg"]) >= 3, name
    assert contrast(colours["h1"], colours["h2"]) > 1.5
    assert contrast(colours["h2"], colours["h3"]) > 1.5


def test_every_colour_of_a_drawing_is_the_pages(text: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not re.search(r"(?:fill|stroke): (?!none|var\(--\w+\))", drawings)
    assert "font-family" not in drawings


def test_links_of_other_kinds_are_refused() -> None:
    assert address("http://127.0.0.1:5001/") == "http://127.0.0.1:5001/"
    with pytest.raises(RecArenaError, match="is no address of a page"):
        address("javascript:alert(1)")


def test_numbers_for_tables() -> None:
    assert number(None, 2) == number(float("nan"), 2) == NONE
    assert number(1234.5, 1) == "1,234.5"
    assert number(-0.5, 2) == "−0.50"
    assert number(-0.0001, 2) == "0.00"
