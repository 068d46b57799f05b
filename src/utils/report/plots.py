"""The report's plots; what each shows is also in a table of the page or in its description."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.harmless import harmless
from core.statistics import Interval
from utils.report.labels import LETTER, place_labels, spread, text_width
from utils.report.svg import COLOUR, FONT, WIDTH, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 24.0  # height of a run in a plot with a row for each
MARKS = "osD^vP"
COLOURED = len(MARKS)  # lines that have a colour and a mark of their own; the others are grey
POINTS = 400  # of a learning curve; more of them cannot be seen
NAME = 18  # letters of a name that fit beside a plot


@dataclass(frozen=True)
class Dot:
    """A run in a plot: its accuracy with its interval, and whether it is among the best."""

    name: str
    interval: Interval
    best: bool


def short(name: str, letters: int = NAME) -> str:
    """A name that fits and that a drawing may hold."""
    name, cut = harmless(name), False
    while text_width(name, 1) > letters * LETTER:
        name, cut = name[:-1], True
    return name + "…" * cut


def ranking(dots: Sequence[Dot], label: str) -> "Figure":
    """Means and intervals, best at the top."""
    figure, axes = _rows([one.name for one in dots])
    for row, one in enumerate(dots):
        colour = COLOUR["accent" if one.best else "muted"]
        axes.plot([one.interval.low, one.interval.high], [row, row], color=colour, linewidth=2)
        face = colour if one.best else COLOUR["bg"]
        axes.plot([one.interval.mean], [row], "o", color=colour, markerfacecolor=face, markersize=7)
    axes.set_xlim(left=min(0.0, *(one.interval.low for one in dots)))
    axes.set_xlabel(label)
    return figure


def against(
    dots: Sequence[Dot], x: Sequence[float], x_label: str, y_label: str, *, log: bool = False
) -> "Figure":
    """Accuracy against something else, each point with its interval and its name."""
    figure = new_figure(300)
    left, bottom, right, top = _frame(figure, left=62, bottom=42, right=14, top=14)
    axes = figure.axes[0]
    y = [one.interval.mean for one in dots]
    if log:
        _log_scale(axes, x)
    for one, at in zip(dots, x, strict=True):
        colour = COLOUR["accent" if one.best else "muted"]
        ends = [one.interval.low, one.interval.high]
        axes.plot([at, at], ends, color=colour, linewidth=1, alpha=0.55)
        face = colour if one.best else COLOUR["bg"]
        axes.plot([at], [one.interval.mean], "o", color=colour, markerfacecolor=face, markersize=7)
    axes.margins(x=0.08, y=0.06)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if not log:
        axes.locator_params(axis="x", nbins=6)
    points = _points(axes, np.array(x), np.array(y))
    names = [short(one.name) for one in dots]
    corners = place_labels(points, names, FONT - 1, (left, bottom, right, top))
    for name, corner, point in zip(names, corners, points, strict=True):
        _name_point(axes, name, corner, point)
    return figure


def _log_scale(axes: "Axes", x: Sequence[float]) -> None:
    """Give x a logarithmic scale, with plain numbers and not too many."""
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415 - see curve

    axes.set_xscale("log")
    few = max(x) / min(x) < 200
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _points(axes: "Axes", x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where these values lie on the drawing, shape (n, 2), in points from below and left."""
    axes.autoscale_view()  # which else waits until it is drawn
    return axes.transData.transform(np.column_stack([x, y]))


def _name_point(
    axes: "Axes", name: str, corner: NDArray[np.float64], point: NDArray[np.float64]
) -> None:
    """Write a point's name at a place of the drawing, with a line if that is not beside it."""
    size = FONT - 1
    width = text_width(name, size)
    end = np.clip(point, corner, corner + np.array([width, size]))
    if np.hypot(*(end - point)) > 12:
        ends = np.column_stack([end, point])
        axes.plot(*ends, color=COLOUR["muted"], linewidth=0.6, transform=None, clip_on=False)
    at_end = corner[0] + width / 2 < point[0] - 4
    middle = abs(corner[0] + width / 2 - point[0]) <= 4
    anchor = "center" if middle else "right" if at_end else "left"
    x = corner[0] + {"left": 0.0, "center": width / 2, "right": width}[anchor]
    axes.text(x, corner[1] + 1, name, fontsize=size, ha=anchor, va="baseline", transform=None)


def lines(
    names: Sequence[str],
    values: Sequence[NDArray[np.float64]],
    groups: Sequence[str],
    x_label: str,
    y_label: str,
) -> "Figure":
    """A line a run over groups, the first few in colours of their own and named at their ends."""
    figure = new_figure(300)
    shown = names[:COLOURED]
    widest = max(text_width(short(name), FONT) for name in shown)
    turned = sum(map(len, groups)) > 36
    below = 58 if turned else 42
    _, bottom, _, top = _frame(figure, left=62, bottom=below, right=widest + 14, top=14)
    axes = figure.axes[0]
    x = np.arange(len(groups))
    for one in values[COLOURED:]:
        axes.plot(x, one, color=COLOUR["muted"], linewidth=1, alpha=0.5)
    for place, one in reversed([*enumerate(values[:COLOURED])]):
        colour, mark = COLOUR[f"s{place + 1}"], MARKS[place]
        axes.plot(x, one, color=colour, marker=mark, markersize=6)
    axes.set_xticks(x, [*groups], rotation=20 if turned else 0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.03)
    ends = np.array([one[~np.isnan(one)][-1] if (~np.isnan(one)).any() else 0.0 for one in values])
    wanted = _points(axes, 0 * ends, ends)[: len(shown), 1]
    heights = np.maximum(spread(wanted, FONT + 2, top), bottom)
    for place, (name, height) in enumerate(zip(shown, heights, strict=True)):
        at = WIDTH - widest - 8
        colour = COLOUR[f"s{place + 1}"]
        axes.text(at, height - 4, short(name), fontsize=FONT - 1, color=colour, transform=None)
    return figure


def stacked(
    names: Sequence[str], shares: Sequence[NDArray[np.float64]], labels: Sequence[str], x: str
) -> "Figure":
    """Bars of shares, a row a run."""
    figure, axes = _rows(names, above=22)
    start = np.zeros(len(names))
    colours = cycle([COLOUR["h1"], COLOUR["h2"], COLOUR["h3"]])
    for part, label, colour in zip(np.column_stack([*shares]).reshape(-1, len(names)), labels,
                                   colours, strict=False):  # fmt: skip
        axes.barh(range(len(names)), part, left=start, height=0.62, color=colour, label=label)
        start += part
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.set_xlabel(x)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(labels), frameon=False,
        borderaxespad=0.2, handlelength=1, handleheight=1, columnspacing=1.2,
    )  # fmt: skip
    return figure


def curve(points: Sequence[tuple[int, float]], label: str) -> "Figure":
    """A learning curve."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - takes half a second

    figure = new_figure(190)
    _frame(figure, left=62, bottom=40, right=14, top=12)
    axes = figure.axes[0]
    chosen = np.unique(np.linspace(0, len(points) - 1, POINTS).round().astype(int))
    x, y = np.array([points[place] for place in chosen], dtype=np.float64).T
    axes.plot(x, y, color=COLOUR["s1"], marker="o" if len(points) < 30 else "", markersize=4)
    axes.set_xlabel("epoch")
    axes.set_ylabel(short(label, 20))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
    axes.locator_params(axis="y", nbins=5)
    return figure


def _rows(names: Sequence[str], above: float = 6) -> "tuple[Figure, Axes]":
    """A figure with a row for each name, the first at the top."""
    figure = new_figure(ROW * len(names) + above + 42)
    left = max(text_width(short(name), FONT) for name in names) + 12
    _frame(figure, left=left, bottom=42, right=16, top=above)
    axes = figure.axes[0]
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=6)
    return figure, axes


def _frame(figure: "Figure", **margins: float) -> tuple[float, float, float, float]:
    """Add axes with these margins, in points; where they are."""
    width, height = figure.get_size_inches() * 72
    left, bottom = margins["left"], margins["bottom"]
    right, top = width - margins["right"], height - margins["top"]
    place: Any = (left / width, bottom / height, (right - left) / width, (top - bottom) / height)
    figure.add_axes(place)
    return left, bottom, right, top
