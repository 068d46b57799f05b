"""Measure RecArena's speed and memory; see bench/README.md.

python bench/run.py                  everything, then the report
python bench/run.py peers sizes      some parts or groups of parts
python bench/run.py report           bench/RESULTS.md from all that was measured so far
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import RecArenaError
from harness import report, results
from harness.measure import FailedError
from harness.parts import BY_PIPELINE, GROUPS, PARTS
from harness.plan import Plan
from utils.runner import pipeline_files


def chosen(names: Iterable[str]) -> list[str]:
    """The parts that names of parts and groups stand for, in their order."""
    wanted = {part for name in names for part in GROUPS.get(name, (name,))}
    return [name for name in PARTS if name in wanted]


def kept(plan: Plan, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with those of the pipelines that were not to be measured again."""
    earlier = results.stored(plan).get(name, {}).get("data", {})
    if name not in BY_PIPELINE or not plan.pipelines:
        return dict(data)
    both = earlier.get("pipelines", {}) | data["pipelines"]
    return dict(data) | {"pipelines": dict(sorted(both.items()))}


def measure(plan: Plan, name: str) -> bool:
    """Measure a part, and whether that went well; what it has so far is kept at any time."""
    print(f"== {name}", flush=True)
    load = os.getloadavg()[0]
    try:
        for data in PARTS[name].measure(plan):
            results.save(plan, name, load, kept(plan, name, data))
    except (FailedError, RecArenaError, subprocess.SubprocessError) as error:
        print(f"{name} failed: {error}", flush=True)  # the other parts can be had all the same
        return False
    return True


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    names = [*PARTS, *GROUPS, "report"]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--repeats", type=int, default=3, help="of everything [3]")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size [1]")
    parser.add_argument("--limit", type=float, default=20, help="minutes of a process [20]")
    parser.add_argument("--pipelines", default="", help="for runs and sizes: A,B instead of all")
    given = parser.parse_args()
    unknown = set(given.names) - set(names)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if given.repeats < 1 or given.scale <= 0 or given.limit <= 0:
        parser.error("--repeats takes 1 or more, --scale and --limit more than 0")
    pipelines = pipeline_files()
    unknown = set(filter(None, given.pipelines.split(","))) - set(pipelines)
    if unknown:
        parser.error(f"no pipeline {', '.join(sorted(unknown))}; there are {', '.join(pipelines)}")
    return given


def main() -> None:
    """Measure what was asked for; write the report after everything, or when asked to."""
    given = arguments()
    only = tuple(name for name in given.pipelines.split(",") if name)
    plan = Plan(given.repeats, given.scale, given.limit * 60, only)
    went_well = [measure(plan, name) for name in chosen(given.names or ["all"])]
    if not given.names or {"all", "report"} & set(given.names):
        print(f"wrote {report.write(plan)}")
    sys.exit(not all(went_well))


if __name__ == "__main__":
    main()
