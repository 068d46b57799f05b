"""Figures as text: medians with their spread, and Markdown tables."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

Runs = Sequence[dict[str, Any]]


def number(value: float) -> str:
    """A figure with the digits that count, and no more."""
    if 0 < value < 0.001:
        return "< 0.001"
    if value < 1:
        return f"{value:.2g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """Median, least and most; a dash where nothing was measured."""
    if not values:
        return "-"
    middle, low, high = statistics.median(values), min(values), max(values)
    if len(values) == 1:
        return number(middle)
    return f"{number(middle)} ({number(low)}-{number(high)})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, with an empty one after it."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines] + [""]


def seconds(runs: Runs, *names: str) -> list[float]:
    """The sum of the named pieces in each run that did not fail."""
    return [sum(one["seconds"][name] for name in names) for one in finished(runs)]


def finished(runs: Runs) -> list[dict[str, Any]]:
    """The runs that did not fail."""
    return [one for one in runs if "failed" not in one]


def peaks(runs: Runs) -> list[float]:
    """Peak memory of each run that did not fail, in MiB."""
    return [one["peak_mib"] for one in finished(runs)]


def failure(runs: Runs) -> str:
    """Why there are no figures, if there are none."""
    if not runs:
        return "not measured"
    return "" if finished(runs) else runs[-1]["failed"]


def entrant(name: str, runs: Runs) -> list[str]:
    """A contestant's pieces of work with their seconds, its memory and its version."""
    good = finished(runs)
    if not good:
        return [name, failure(runs), "-"]
    pieces = [f"{piece} {spread(seconds(runs, piece))}" for piece in good[0]["seconds"]]
    label = f"{name} {good[0]['version']}".strip()
    return [label, "; ".join(pieces), spread(peaks(runs))]
