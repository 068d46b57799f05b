"""The report as one HTML page: text, tables and drawings, and no script."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from core.errors import RecArenaError
from core.harmless import harmless
from utils.report import by_group, facts, results
from utils.report.data import Report
from utils.report.parts import Link, Plot, Section
from utils.report.svg import figures, inline


def render(report: Report) -> str:
    """The whole page. Equal reports give equal pages, to the byte."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    folder = files("utils.report")
    environment = Environment(
        loader=FileSystemLoader(str(folder)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.tests["link"] = lambda cell: isinstance(cell, Link)
    environment.filters["address"] = address
    with figures():
        sections = _sections(report)
        drawings = {plot.key: _drawn(plot) for one in sections for plot in one.plots}
    given: Mapping[str, Any] = {
        "report": report,
        "answer": results.answer(report),
        "sections": sections,
        "drawings": drawings,
        "style": (folder / "style.css").read_text(encoding="utf-8"),
    }
    return environment.get_template("template.html.jinja").render(given)


def _sections(report: Report) -> list[Section]:
    found = [
        results.ranking(report),
        results.costs(report),
        by_group.activity(report),
        by_group.popularity(report),
        results.distribution(report),
        results.learning(report),
        facts.protocol(report),
        facts.definitions(report),
        facts.runs(report),
        facts.left_out(report),
    ]
    return [one for one in found if one]


def _drawn(plot: Plot) -> str:
    return inline(plot.figure, plot.key, harmless(plot.title), harmless(plot.description))


def _shown(value: object) -> object:
    """Text of data cannot turn the direction of writing, nor hold what no page may."""
    return harmless(value) if type(value) is str else value


def address(href: str) -> str:
    """An address that a page may lead to. Raises RecArenaError for a script or the like."""
    if not href.startswith(("http://", "https://")):
        raise RecArenaError(f"{href!r} is no address of a page")
    return href
