"""What fitting and ranking cost as the ratings grow, each pipeline in a process of its own."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from harness.data import prepared
from harness.end_to_end import chosen
from harness.measure import measured
from harness.plan import BENCH, SIZES, Plan
from harness.results import now
from utils.runner import child_environment

ONCE_FROM = 60.0  # seconds from which a process is not repeated


def measure(plan: Plan) -> Iterator[dict[str, Any]]:
    """Seconds and peak memory by pipeline and number of ratings, after each pipeline."""
    shapes = [plan.shape(size) for size in SIZES]
    data = prepared(plan, *shapes)
    pipelines: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in chosen(plan):
        pipelines[name] = {}
        for shape, file in zip(shapes, data, strict=True):
            print(f"sizes: {name}, {shape}", flush=True)
            runs = list(_runs(plan, name, file))
            pipelines[name][str(shape.ratings)] = runs
            if "failed" in runs[-1]:
                break
        yield {"shapes": [str(shape) for shape in shapes], "pipelines": pipelines}


def _runs(plan: Plan, name: str, data: Path) -> Iterator[dict[str, Any]]:
    """Repeats of one process, one only if it takes long or fails."""
    command = [sys.executable, BENCH / "ours.py", "pipeline", data, name]
    log = plan.work / "logs" / "sizes.log"
    for _ in range(plan.repeats):
        told = measured(command, log=log, limit=plan.limit, environment=child_environment())
        yield told | {"date": now()}
        if "failed" in told or total_seconds(told) > ONCE_FROM:
            return


def exponent(ratings: Sequence[float], cost: Sequence[float]) -> float:
    """The b of cost = a ratings^b, by least squares on the logarithms; NaN below two points."""
    if len(ratings) < 2:
        return float("nan")
    slope, _ = np.polyfit([log(n) for n in ratings], [log(c) for c in cost], 1)
    return float(slope)


def total_seconds(run: dict[str, Any]) -> float:
    """What fitting and ranking took in one process."""
    return run["seconds"]["fit"] + run["seconds"]["rank"]


def curve(
    by_size: Mapping[str, Sequence[dict[str, Any]]], cost: Callable[[dict[str, Any]], float]
) -> tuple[list[int], list[float]]:
    """The numbers of ratings at which a pipeline finished, and its median cost there."""
    ratings, costs = [], []
    for size, runs in by_size.items():
        found = [cost(one) for one in runs if "failed" not in one]
        if found:
            ratings.append(int(size))
            costs.append(median(found))
    return ratings, costs
