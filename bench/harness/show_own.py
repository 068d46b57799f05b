"""The sections of RESULTS.md on RecArena alone: goals, and lines."""

import statistics
from typing import Any

from harness.goals import Goal, below, beside_floor
from harness.sizes import curve, exponent, total_seconds
from harness.tables import Runs, failure, finished, number, peaks, spread, table

Section = tuple[list[Goal], list[str]]


def rank(data: dict[str, Any]) -> Section:
    """The ranking kernel beside the bare product."""
    goal = beside_floor(
        "floor-rank", "top-10 of all users, 128 factors", data["work"], data["floor"], 1.5
    )
    return [goal], [
        "Seen items left out; the floor is the bare matrix product in blocks, one BLAS thread in "
        "each of two threads.",
        "",
    ]


def load(data: dict[str, Any]) -> Section:
    """The loader beside psql."""
    goals = [
        beside_floor("floor-load", "loading, keys and index", data["work"], data["floor"], 1.5),
        below("load-memory", "loading, memory of the client", data["peak_mib"], 200, "MiB"),
    ]
    return goals, [
        "The work checks every line and also loads movies and tags; the floor is `psql \\copy` of "
        "a ready CSV with the same keys and indexes.",
        "",
    ]


def read(data: dict[str, Any]) -> Section:
    """The reader beside psql."""
    goals = [
        beside_floor("floor-read", "database to `Dataset`", data["work"], data["floor"], 2),
        below("read-memory", "reading, memory", data["peak_mib"], 1536, "MiB"),
    ]
    return goals, ["The floor is `psql` COPY BINARY of the same query to /dev/null.", ""]


def runs(data: dict[str, Any]) -> Section:
    """All pipelines end to end."""
    pipelines: dict[str, Runs] = data["pipelines"]
    walls = [[one["wall"] for one in finished(r)] for r in pipelines.values()]
    totals = [sum(turn) / 60 for turn in zip(*walls, strict=False)]
    memory = [max(peak for r in pipelines.values() for peak in peaks(r))] if totals else []
    goals = [
        below("run-all", f"`recarena run all`, {len(pipelines)} recommenders", totals, 12, "min"),
        below("run-memory", "the largest process of it", memory, 4096, "MiB"),
    ]
    return goals, [
        "Default parameters, each in a process of its own, from the database to MLflow. Stages are "
        "as the run logged them; the rest is start, imports, logging and uploading.",
        "",
        *table(RUN_HEAD, [_run_row(name, r) for name, r in pipelines.items()]),
    ]


RUN_HEAD = ("pipeline", "all, s", "read", "fit", "rank", "evaluate", "rest, log", "peak MiB")


def _run_row(name: str, runs: Runs) -> list[str]:
    good = finished(runs)
    if not good:
        return [name, failure(runs), *["-"] * 6]
    stages = ("wall", "read", "fit", "recommend", "evaluate", "rest", "peak_mib")
    return [name, *(spread([one[stage] for one in good]) for stage in stages)]


def sizes(data: dict[str, Any]) -> Section:
    """Cost against size, with a fitted exponent for each pipeline."""
    head = ("pipeline", *(f"{shape.split(', ')[-1]}" for shape in data["shapes"]), "exponent")
    rows = []
    for name, by_size in data["pipelines"].items():
        cells = [_size_cell(runs) for runs in by_size.values()]
        cells += ["not tried"] * (len(data["shapes"]) - len(cells))
        rows.append([name, *cells, number(exponent(*curve(by_size, total_seconds)))])
    return [], [
        "Seconds to fit and to rank everybody, and peak MiB, with default parameters: medians; "
        "a process that takes more than a minute is not repeated. Each pipeline runs in a process "
        "of its own and reads a prepared file, not the database. The sizes are "
        f"{'; '.join(data['shapes'])}. The exponent is the b of seconds = a ratings^b, fitted by "
        "least squares on the logarithms: b = sum (x - mean x)(y - mean y) / sum (x - mean x)^2 "
        "with x = log ratings and y = log (fit + rank seconds). Users and movies grow with the "
        "ratings, so b is no property of the algorithm alone.",
        "",
        *table(head, rows),
    ]


def _size_cell(runs: Runs) -> str:
    good = finished(runs)
    if not good:
        return failure(runs)
    parts = (statistics.median(one["seconds"][what] for one in good) for what in ("fit", "rank"))
    fit, rank = map(number, parts)
    return f"{fit} + {rank} s, {statistics.median(peaks(runs)):,.0f} MiB"
