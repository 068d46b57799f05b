"""For whom and with what each run works: recall by groups of users and of items."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from utils.report import groups, plots
from utils.report.data import Report
from utils.report.parts import PLOTTED, Plot, Section, Table, listing, number

Floats = NDArray[np.float64]


def activity(report: Report) -> Section:
    """Recall by how much users rated."""
    name = report.named("recall_at_k")
    heading = "Recall by user activity"
    first = report.ranked[0].run
    if "n_train" not in first.users:
        return Section("activity", heading, [_missing("n_train in per_user.parquet")])
    found = groups.by_activity(first.users["n_train"].astype(np.int64))
    ones = np.ones(report.n_users)
    values = [found.ratio(one.run.users["recall_at_k"], ones) for one in report.ranked]
    text = [
        f"Mean {name} of the judged users, in groups of about equal size by their number of train "
        "ratings: does a recommender work for those who rated little?"
    ]
    return _by_group(report, "activity", heading, text, found, values, "train ratings of the user")


def popularity(report: Report) -> Section:
    """Recall by how often items were rated."""
    heading = "Recall by item popularity"
    runs = [one.run for one in report.ranked]
    lacking = [one.label for one in runs if one.items is None]
    if lacking:
        return Section("popularity", heading, [_missing("evaluation/items.parquet", lacking)])
    items = [one.items for one in runs if one.items is not None]
    found = groups.by_popularity(items[0]["n_train"])
    values = [found.ratio(one["n_hits"], one["n_relevant"]) for one in items]
    text = [
        "Share of the relevant test ratings that are in the lists, by how often the item was rated "
        "in train. Each group holds about equally many train ratings: few popular items at the "
        "right, the long tail at the left. Items without a train rating are a group of their own."
    ]
    label = "train ratings of the item"
    return _by_group(report, "popularity", heading, text, found, values, label)


def _missing(what: str, labels: Sequence[str] = ()) -> str:
    """What to say where older runs lack something."""
    who = f" ({listing(labels)})" if labels else ""
    return f"Not shown: runs{who} were made before runs left {what}. Run them again to see it."


def _by_group(
    report: Report,
    key: str,
    heading: str,
    text: Sequence[str],
    found: groups.Groups,
    values: Sequence[Floats],
    label: str,
) -> Section:
    """A line a run over groups, and all numbers as a table."""
    name = report.named("recall_at_k")
    labels = [one.run.label for one in report.ranked]
    plot = Plot(
        f"plot-{key}",
        heading,
        plots.lines(labels[:PLOTTED], values[:PLOTTED], found.names, label, name),
        f"A line for each run over groups by {label}. The best {min(plots.COLOURED, len(labels))} "
        "by rank have colours and marks, the others are grey. The table below has every number.",
    )
    columns = ["run", *(f"{n} ({note})" for n, note in zip(found.names, found.notes, strict=True))]
    rows = [
        [name, *(number(float(value), 4) for value in row)]
        for name, row in zip(labels, values, strict=True)
    ]
    caption = f"{name} by {label}"
    return Section(key, heading, text, [plot], [Table(f"table-{key}", caption, columns, rows)])
