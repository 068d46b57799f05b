"""The ladder as people and programs read it."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.table import Table

from utils.ladder import Step
from utils.published import RUNGS

HEAD = """# Ours beside published results

Written by `recarena ladder --format md`. It runs our recommenders under the protocol of published
rating results: random folds (`SPLIT=random`, `SPLIT_SEED=0`), the published parameters, RMSE over
all test ratings, the mean over folds. Each run is tracked in MLflow, in an experiment beside the
usual one (`RecArena ladder`). The gap is ours minus theirs: below zero, ours is better. The folds
are not the very same ratings as theirs, so a gap of the size of the spread over folds says nothing.
"""


def as_table(steps: Sequence[Step]) -> Table:
    """The ladder for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.pad_edge = False
    for name in ("data set", "published", "ours"):
        table.add_column(name, overflow="fold")
    for name in ("their RMSE", "our RMSE", "gap", "folds"):
        table.add_column(name, justify="right", no_wrap=True)
    for step in steps:
        rung = step.rung
        table.add_row(rung.dataset, rung.method, rung.pipeline, f"{rung.rmse:g}", *_figures(step))
    return table


def _figures(step: Step) -> tuple[str, str, str]:
    ours = f"{step.mean:.4f}"
    if len(step.rmses) > 1:
        ours += f" ± {step.spread:.4f}"
    return ours, f"{step.gap:+.4f}", f"{len(step.rmses)} of {step.rung.publication.n_folds}"


def footnotes(steps: Sequence[Step]) -> list[str]:
    """Sources of the published figures, and what is not the same about ours."""
    sources = {step.rung.publication: None for step in steps}
    said = [f"published: {one.title}, {one.address}" for one in sources]
    differs = {(s.rung.pipeline, s.rung.differs): None for s in steps if s.rung.differs}
    return said + [f"{pipeline}: not quite the same, {why}" for pipeline, why in differs]


def as_text(steps: Sequence[Step], notes: Sequence[str], kind: Literal["json", "csv", "md"]) -> str:
    """The ladder as JSON, as comma-separated values, or as the document `docs/ladder.md`."""
    if kind == "json":
        return json.dumps(records(steps), indent=2) + "\n"
    return as_csv(steps) if kind == "csv" else as_markdown(steps, notes)


def records(steps: Sequence[Step]) -> list[dict[str, object]]:
    """The ladder as plain values, for JSON."""
    return [
        {
            "dataset": step.rung.dataset,
            "method": step.rung.method,
            "published_rmse": step.rung.rmse,
            "source": step.rung.publication.title,
            "address": step.rung.publication.address,
            "pipeline": step.rung.pipeline,
            "params": dict(step.rung.params),
            "differs": step.rung.differs,
            "n_folds": step.rung.publication.n_folds,
            "fold_rmses": list(step.rmses),
            "rmse": step.mean,
            "gap": step.gap,
        }
        for step in steps
    ]


def as_csv(steps: Sequence[Step]) -> str:
    """The ladder as comma-separated values, without parameters and single folds."""
    text = io.StringIO()
    left_out = ("params", "fold_rmses")
    rows = [{k: v for k, v in one.items() if k not in left_out} for one in records(steps)]
    names = ["dataset", "method", "published_rmse", "source", "address", "pipeline", "differs"]
    writer = csv.DictWriter(text, [*names, "n_folds", "rmse", "gap"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(steps: Sequence[Step], notes: Sequence[str]) -> str:
    """The document `docs/ladder.md`: every published result, ours where it was run."""
    ours = {step.rung: step for step in steps}
    lines = [
        HEAD,
        "| data set | published | their RMSE | ours | our RMSE | gap | folds run |",
        "|---|---|---|---|---|---|---|",
    ]
    for rung in RUNGS:
        figures = _figures(ours[rung]) if rung in ours else ("-", "-", "none")
        cells = [rung.dataset, rung.method, f"{rung.rmse:g}", f"`{rung.pipeline}`", *figures]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    missing = {rung.dataset: None for rung in RUNGS if rung not in ours}
    if missing:
        names = ", ".join(missing)
        lines += [
            f"Not run, because not loaded where this was written: {names}.",
            "`recarena fetch` and `recarena load` them, and run this again to fill the table.",
            "",
        ]
    lines += [f"- {note}" for note in notes]
    lines += [f"- {note}" for note in footnotes([Step(rung, (rung.rmse,)) for rung in RUNGS])]
    parameters = {(rung.pipeline, tuple(rung.params.items())): None for rung in RUNGS}
    lines += ["", "Parameters:", ""]
    for pipeline, params in parameters:
        given = " ".join(f"--set {name}={value}" for name, value in params)
        lines.append(f"- `recarena run {pipeline} {given}`")
    return "\n".join(lines) + "\n"
