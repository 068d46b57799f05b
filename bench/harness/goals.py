"""What was to be reached, what was, and why not where it was not."""

import statistics
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.plan import BENCH
from harness.tables import number, spread, table

HEAD = ("", "ours", "peer or floor", "ratio", "goal", "met")


@dataclass(frozen=True)
class Goal:
    """A row of the table of goals; `key` names it in reasons.toml, `met` is None without a goal."""

    key: str
    what: str
    ours: str
    other: str
    ratio: str
    wanted: str
    met: bool | None


def _ratio(above: Sequence[float], below: Sequence[float]) -> float | None:
    if not above or not below or statistics.median(below) <= 0:
        return None
    return statistics.median(above) / statistics.median(below)


def beside_peer(
    key: str,
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    at_least: float | None,
    unit: str = "s",
    note: str = "",
) -> Goal:
    """How many times as much the peer takes; that many times or more is the goal."""
    ratio = _ratio(theirs, ours)
    met = None if at_least is None else ratio is not None and ratio >= at_least
    wanted = {None: "-", 1: "no more than the peer"}.get(at_least, f"at least {at_least} times")
    return Goal(key, what, _of(ours, unit), _of(theirs, unit) + note, _times(ratio), wanted, met)


def beside_floor(
    key: str, what: str, ours: Sequence[float], floor: Sequence[float], at_most: float
) -> Goal:
    """How many times as much as the floor ours takes; that many times or less is the goal."""
    ratio = _ratio(ours, floor)
    met = ratio is not None and ratio <= at_most
    wanted = f"at most {at_most:g} times"
    return Goal(key, what, _of(ours, "s"), _of(floor, "s"), _times(ratio), wanted, met)


def below(key: str, what: str, ours: Sequence[float], limit: float, unit: str) -> Goal:
    """The largest of the figures is to be below a limit."""
    met = bool(ours) and max(ours) < limit
    return Goal(key, what, _of(ours, unit), "-", "-", f"below {number(limit)} {unit}", met)


def _of(values: Sequence[float], unit: str) -> str:
    return f"{spread(values)} {unit}" if values else "not measured"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def lines(goals: Sequence[Goal]) -> list[str]:
    """The table of goals, and the reasons for those that were missed."""
    reasons = tomllib.loads((BENCH / "reasons.toml").read_text())
    rows = [(one.what, one.ours, one.other, one.ratio, one.wanted, _met(one)) for one in goals]
    missed = [
        f"- {one.what}: {reasons.get(one.key, 'no reason is given in bench/reasons.toml')}"
        for one in goals
        if one.met is False
    ]
    told = ["Missed, and why:", "", *missed, ""] if missed else []
    return table(HEAD, rows) + told


def _met(goal: Goal) -> str:
    return {None: "-", True: "yes", False: "**no**"}[goal.met]
