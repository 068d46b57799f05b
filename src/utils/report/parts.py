"""The parts that the page is put together from; the template knows these and nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE = "–"
"""Where a number has no meaning."""
MINUS = "−"
PLOTTED = 30  # runs in a plot; tables have all


@dataclass(frozen=True)
class Link:
    """Text of a cell that leads somewhere."""

    text: str
    href: str

    def __str__(self) -> str:
        return self.text


Cell = str | Link


@dataclass(frozen=True)
class Table:
    """Rows of which the first cell is the head.

    Columns named in `text` are no numbers, and those in `short` too small to be broken.
    """

    key: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    text: frozenset[str] = frozenset()
    short: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure, its caption, and what it shows in words for those who cannot see it."""

    key: str
    title: str
    figure: "Figure"
    description: str


@dataclass(frozen=True, eq=False)
class Section:
    """A heading and what is below it. `terms` are pairs of a term and what it means."""

    key: str
    heading: str
    text: Sequence[str] = ()
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    terms: Sequence[tuple[str, str]] = field(default=())


def number(value: float | None, digits: int) -> str:
    """A number for a table, or a dash."""
    if value is None or math.isnan(value):
        return NONE
    text = f"{value:,.{digits}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else text.removeprefix("-")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def listing(names: Sequence[str], most: int = 12) -> str:
    """Names as a sentence has them."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))
