"""The metrics' definitions as people and programs read them."""

from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from utils.metric_definitions import COUNTS, DEFINITIONS, LIBRARIES, PREAMBLE, Definition

GENERATED = (
    "<!-- Written by `recarena metrics --format md`; change src/utils/metric_definitions.py. -->"
)


def as_record() -> dict[str, object]:
    """All definitions as plain values, for JSON."""
    return {
        "terms": PREAMBLE,
        "metrics": [one.record() for one in _all()],
        "counts": dict(COUNTS),
        "libraries": {key: asdict(one) for key, one in LIBRARIES.items()},
    }


def _all() -> list[Definition]:
    return list(DEFINITIONS.values())


def as_text() -> RenderableType:
    """All definitions for a terminal of any width."""
    parts: list[RenderableType] = [Text(PREAMBLE), Text()]
    for one in _all():
        parts += [Text(f"{one.title}  ({one.name})", style="bold"), _facts(one), Text()]
    parts += [Text("Logged beside them", style="bold"), _pairs(COUNTS.items()), Text()]
    parts += [Text("What was read of the others", style="bold")]
    parts += [_pairs((one.name, one.read) for one in LIBRARIES.values())]
    return Group(*parts)


def _facts(one: Definition) -> RenderableType:
    rows = [("formula", one.formula)]
    if one.mean_over:
        rows.append(("mean over", one.mean_over))
    rows += [("unit", one.unit), ("source", one.source)]
    if one.agreeing():
        rows.append(("the same in", ", ".join(LIBRARIES[key].name for key in one.agreeing())))
    rows += [(LIBRARIES[key].name, said) for key, said in one.differing().items()]
    return _pairs(rows)


def _pairs(rows: Iterable[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, said in rows:
        table.add_row(Text(name), Text(said))
    return Padding(table, (0, 0, 0, 2), expand=False)


def as_markdown() -> str:
    """All definitions as the page `docs/metrics.md`."""
    lines = [
        "# Metrics",
        "",
        GENERATED,
        "",
        PREAMBLE,
        "",
        "| metric | of one user, or of the whole run | mean over | unit |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{one.name}` | {_cell(one.formula)} | {one.mean_over or '-'} | {one.unit} |"
        for one in _all()
    ]
    lines += ["", "## Sources", ""]
    lines += [f"- {one.title}: {one.source}" for one in _all()]
    lines += [
        "",
        "## What others compute under the same name",
        "",
        "Of a library that is not named at a metric, nothing is said. The command",
        "`recarena metrics --run RUN --convention NAME` judges a finished run's lists in its way.",
    ]
    for key, library in LIBRARIES.items():
        lines += ["", f"### {library.name}", "", f"Read: {library.read}.", ""]
        lines += ["| metric | what it computes |", "|---|---|"]
        lines += [
            f"| `{one.name}` | {_cell(one.elsewhere[key])} |"
            for one in _all()
            if key in one.elsewhere
        ]
    lines += ["", "## Logged beside them", "", "| number | what it counts |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(said)} |" for name, said in COUNTS.items()]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text of a cell; bars and what Markdown would take for something else escaped."""
    return text.replace("|", "\\|").replace("*", "\\*")
