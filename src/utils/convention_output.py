"""A run's metrics under other conventions, as people and programs read them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from core.errors import RecArenaError
from core.settings import Settings
from utils import conventions
from utils.conventions import CONVENTIONS, Judgements
from utils.finished_runs import FinishedRun, find_run
from utils.kept_runs import kept, ranking_of, split_of
from utils.metric_definitions import DEFINITIONS, LIBRARIES

ALL = "all"
CLOSE = 1e-9  # to the logged number; lists are judged by the same code


@dataclass(frozen=True)
class Compared:
    """A run's metrics in our convention and in others; `notes` say what is not as it should be."""

    run: FinishedRun
    k: int
    ours: Judgements
    theirs: dict[str, Judgements]
    notes: list[str]


def compared(
    settings: Settings, wanted: str, convention: str, dataset: str | None = None
) -> Compared:
    """A finished run's lists under one convention of `CONVENTIONS`, or all of them.

    `wanted` and `dataset` as of `find_run`. Raises RecArenaError if there is no such convention
    or run, or if the database does not hold any more what the run was judged by.
    """
    if convention.lower() not in (*CONVENTIONS, ALL):
        raise RecArenaError(
            f"no convention {convention!r}; there are {', '.join(CONVENTIONS)} and {ALL}"
        )
    chosen = list(CONVENTIONS) if convention.lower() == ALL else [convention.lower()]
    run, source = find_run(settings, wanted, dataset)
    one = kept(settings, run)
    data = split_of(settings, one, source)
    protocol = one.evaluation_protocol()
    lists = conventions.lists_of(ranking_of(settings, one, data), data, protocol)
    ours = conventions.ours(lists)
    notes = [
        f"{name}: the run logged {one.metrics[name]:.6g}, its lists give {found.value:.6g}"
        for name, found in ours.items()
        if name in one.metrics and abs(one.metrics[name] - found.value) > CLOSE
    ]
    theirs = {key: CONVENTIONS[key](lists) for key in chosen}
    return Compared(run, protocol.k, ours, theirs, notes)


def why(name: str, key: str) -> str:
    """What a library does otherwise."""
    return DEFINITIONS[name].elsewhere.get(key, "not computed")


def record(one: Compared) -> dict[str, object]:
    """All numbers as plain values, for JSON."""
    return {
        "run_id": one.run.id,
        "pipeline": one.run.pipeline,
        "dataset": one.run.dataset,
        "k": one.k,
        "notes": one.notes,
        "ours": {name: vars(found) for name, found in one.ours.items()},
        "conventions": {
            key: {
                name: vars(found)
                | {"difference": found.value - one.ours[name].value, "why": why(name, key)}
                for name, found in theirs.items()
            }
            for key, theirs in one.theirs.items()
        },
    }


def head(one: Compared) -> list[str]:
    """Which run it is, and what is not as it should be."""
    return [f"{one.run} on {one.run.dataset}, lists of {one.k}", *one.notes]


def as_table(one: Compared, *, terminal: bool) -> Table:
    """One convention beside ours with the reason, or several without."""
    table = Table(box=box.SIMPLE_HEAD if terminal else None, padding=(0, 1, 0, 0))
    table.pad_edge = False
    columns, rows = _cells(one)
    for place, column in enumerate(columns):
        if column == "why":
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def as_markdown(one: Compared) -> str:
    """The same as a table in Markdown."""
    columns, rows = _cells(one)
    lines = [*head(one), "", _row(columns), _row(["---"] * len(columns)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(one: Compared) -> tuple[list[str], list[list[str]]]:
    if len(one.theirs) == 1:
        return _one_beside_ours(one, next(iter(one.theirs)))
    columns = ["metric", "ours", *(LIBRARIES[key].name for key in one.theirs)]
    rows = []
    for name, found in one.ours.items():
        values = [theirs[name].value if name in theirs else None for theirs in one.theirs.values()]
        rows.append([_shown(name, one.k), *map(_number, [found.value, *values])])
    return columns, rows


def _one_beside_ours(one: Compared, key: str) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, found in one.ours.items():
        theirs = one.theirs[key].get(name)
        reason = why(name, key)
        if theirs and theirs.n_users not in (None, found.n_users):
            reason += f" (mean over {theirs.n_users:,} users, ours over {found.n_users:,})"
        difference = None if theirs is None else theirs.value - found.value
        rows.append(
            [
                _shown(name, one.k),
                _number(found.value),
                _number(None if theirs is None else theirs.value),
                _number(difference, sign="+"),
                reason,
            ]
        )
    return ["metric", "ours", LIBRARIES[key].name, "difference", "why"], rows


def _shown(name: str, k: int) -> str:
    return name.replace("_at_k", f"@{k}")


def _number(value: float | None, sign: str = "") -> str:
    """Four digits, and none for numbers of items."""
    if value is None:
        return "-"
    if not round(value, 12):
        return "0"
    if abs(value) >= 1 and value == int(value):
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.4f}"
