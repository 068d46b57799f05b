"""Measure RecArena's speed and memory; see bench/README.md.

python bench/run.py                  everything, then the report
python bench/run.py peers sizes      some parts or groups of parts
python bench/run.py report           bench/RESULTS.md from all that was measured so far
"""

import argparse
import os
from collections.abc import Iterable, Mapping
from typing import Any

from harness import report, results
from harness.parts import BY_PIPELINE, GROUPS, PARTS
from harness.plan import Plan


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


def measure(plan: Plan, name: str) -> None:
    """Measure a part; what it has so far is kept at any time."""
    load = os.getloadavg()[0]
    for data in PARTS[name].measure(plan):
        results.save(plan, name, load, kept(plan, name, data))


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
    return given


def main() -> None:
    """Measure what was asked for; write the report after everything, or when asked to."""
    given = arguments()
    only = tuple(name for name in given.pipelines.split(",") if name)
    plan = Plan(given.repeats, given.scale, given.limit * 60, only)
    for name in chosen(given.names or ["all"]):
        print(f"== {name}", flush=True)
        measure(plan, name)
    if not given.names or {"all", "report"} & set(given.names):
        print(f"wrote {report.write(plan)}")


if __name__ == "__main__":
    main()
