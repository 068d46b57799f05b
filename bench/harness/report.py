"""RESULTS.md, from all that was measured, whenever that was."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.paths import ROOT
from harness import goals, plot, results
from harness.parts import PARTS
from harness.plan import BENCH, ML_10M, Plan

IMAGE = Path("docs/images/cost-against-size.png")


def write(plan: Plan) -> Path:
    """Write the report, and draw its plot; for another scale than 1, into that scale's folder."""
    stored = results.stored(plan)
    whole = plan.scale == 1
    file, root = (BENCH / "RESULTS.md", ROOT) if whole else (plan.work / "RESULTS.md", plan.work)
    wanted, sections = [], []
    for name, part in PARTS.items():
        if name in stored:
            found, lines = part.show(stored[name]["data"])
            wanted += found
            sections += [f"## {part.title}", "", *lines, *_measured(stored[name])]
    if "sizes" in stored:
        plot.cost_against_size(root / IMAGE, stored["sizes"]["data"]["pipelines"])
        link = Path("..") / IMAGE if whole else IMAGE
        sections += [f"![seconds and peak memory against the number of ratings]({link})", ""]
    for name, other in stored.items():
        if name not in PARTS and "markdown" in other:
            sections += [other["markdown"].strip(), ""]
    lines = [*_head(plan, stored), "## Goals", "", *goals.lines(wanted), *sections]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return file


def _measured(record: Mapping[str, Any]) -> list[str]:
    return [
        f"Measured {record['date']} UTC, repeats: {record['repeats']}, load average before: "
        f"{record['load']:.1f}.",
        "",
    ]


def _head(plan: Plan, stored: Mapping[str, Mapping[str, Any]]) -> list[str]:
    machines = [one["machine"] for one in stored.values() if "machine" in one]
    missing = [name for name in PARTS if name not in stored]
    lines = [
        "# Results",
        "",
        "Written by `python bench/run.py report` from what the parts have measured; "
        "`bench/README.md` says how.",
        f"Synthetic data: {plan.shape(ML_10M)}"
        + (", exactly MovieLens 10M's size." if plan.scale == 1 else f", scale {plan.scale:g}."),
        "Figures are medians, with least and most in brackets. Ratios are of medians.",
        "",
    ]
    for machine in {str(one): one for one in machines}.values():
        packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
        lines += [
            f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, "
            f"{machine['system']}, Python {machine['python']}, {packages}.",
            "",
        ]
    if missing:
        lines += [f"Not measured yet: {', '.join(missing)}.", ""]
    return lines
