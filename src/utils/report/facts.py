"""What the numbers mean and where they come from: protocol, definitions, runs."""

from collections.abc import Mapping
from datetime import UTC, datetime

from core.protocol import PREFIX, EvaluationProtocol, describe
from utils.metric_definitions import DEFINITIONS, LIBRARIES, PREAMBLE, Definition
from utils.report.data import Report, ReportRun
from utils.report.parts import NONE, Cell, Link, Section, Table, listing, percent
from utils.report.surroundings_facts import CODE

ID = 12  # characters of a run's id, whose link has all of it
COUNTS = {
    "n_users": "users",
    "n_items": "items in the catalogue",
    "n_train": "train ratings",
    "n_test": "test ratings",
    "n_users_evaluated": "judged users: those with a relevant test item",
    "n_users_no_relevant": "users with test ratings, none of them relevant",
}
LEAKS = {
    "share_train_after_median_test": "of the train ratings are later than the median test rating",
    "share_test_items_unseen": "of the test ratings are of items without a train rating",
    "share_test_users_unseen": "of the test ratings are of users without a train rating",
}


def protocol(report: Report) -> Section:
    """How runs were judged, and what that leaks."""
    first = report.ranked[0].run.metrics
    rows: list[list[Cell]] = [
        [text, f"{first[name]:,.0f}"] for name, text in COUNTS.items() if name in first
    ]
    known = _known(report)
    settings = known.params() if known else report.protocol  # without those that mean nothing
    fields: list[list[Cell]] = [
        [name.removeprefix(PREFIX), str(value)] for name, value in sorted(settings.items())
    ]
    return Section(
        "protocol",
        "Protocol",
        [*_in_words(report), *leakage(report)],
        tables=[
            Table("table-counts", "What the means are over", ["count", "number"], rows),
            Table("table-protocol", "The protocol as it was logged", ["setting", "value"], fields,
                  frozenset({"value"})),
        ],
    )  # fmt: skip


def _in_words(report: Report) -> list[str]:
    """The protocol in a sentence or two."""
    known = _known(report)
    if known:
        return [describe(known)]
    return ["These runs have a protocol that is not known here; the table has its settings."]


def _known(report: Report) -> EvaluationProtocol | None:
    """The protocol, unless it is of code that is newer than this."""
    try:
        return EvaluationProtocol.of_run({PREFIX + n: v for n, v in report.protocol.items()})
    except ValueError:
        return None


def leakage(report: Report) -> list[str]:
    """What the split lets recommenders know that they could not have known, in words."""
    first = report.ranked[0].run
    if first.tags.get("leakage"):
        return [first.tags["leakage"]]
    said = [f"{percent(first.metrics[name])} {text}" for name, text in LEAKS.items()
            if name in first.metrics]  # fmt: skip
    lines = [f"Leakage: {listing(said)}."] if said else []
    if "share_train_after_median_test" not in first.metrics:
        lines.append("How much of train is later than the test ratings was not measured by these "
                     "runs, which are older than that measure.")  # fmt: skip
    return lines


def definitions(report: Report) -> Section:
    """What each metric is, and what others compute under its name."""
    present = {name for one in report.ranked for name in one.run.metrics}
    shown = [one for name, one in DEFINITIONS.items() if name in present]
    rows: list[list[Cell]] = [
        [report.named(one.name), LIBRARIES[key].name, said]
        for one in shown
        for key, said in one.differing().items()
    ]
    columns = ["metric", "library", "what it computes instead"]
    table = Table(
        "table-elsewhere", "The same name in other libraries", columns, rows,
        text=frozenset(columns), short=frozenset({"library"}),
    )  # fmt: skip
    terms = [(report.named(one.name), _meaning(one)) for one in shown]
    return Section("definitions", "Metric definitions", [PREAMBLE], tables=[table], terms=terms)


def _meaning(one: Definition) -> str:
    """A definition in sentences."""
    alike = listing([LIBRARIES[key].name for key in one.agreeing()])
    said = [
        one.formula,
        f"Mean over {one.mean_over}" if one.mean_over else "",
        f"Unit: {one.unit}",
        f"Source: {one.source}",
        f"The same in {alike}" if alike else "",
    ]
    return " ".join(f"{sentence}." for sentence in said if sentence)


def runs(report: Report) -> Section:
    """What was run, on what."""
    ran = [one.run for one in report.ranked]
    text = [f"All of these are in experiment {report.experiment}, on the split "
            f"{report.fingerprint}."]  # fmt: skip
    changed = [one.label for one in ran if one.tags.get("git_dirty") == "true"]
    if changed:
        text.append(f"Made with code that was not committed as it was: {listing(changed)}.")
    columns = ["run", "id", "begun (UTC)", "commit", CODE, "seed", "parameters"]
    rows: list[list[Cell]] = [
        [
            one.label,
            Link(one.run_id[:ID], one.link) if one.link else one.run_id,
            f"{datetime.fromtimestamp(one.started / 1000, UTC):%Y-%m-%d %H:%M}",
            _commit(one),
            one.surroundings.get(CODE, NONE),
            one.params.get("seed", NONE),
            ", ".join(f"{n}={v}" for n, v in sorted(one.params.items()) if n != "seed") or NONE,
        ]
        for one in ran
    ]
    short = frozenset(columns[1:-1])
    tables = [Table("table-runs", "The runs", columns, rows, frozenset(columns), short)]
    tables += _surroundings(ran)
    return Section("runs", "What was run", text, tables=tables)


def _commit(run: ReportRun) -> str:
    found = run.tags.get("git_commit", "")[:10]
    changed = ", changed" if run.tags.get("git_dirty") == "true" else ""
    return f"{found}{changed}" if found else NONE


def _surroundings(ran: list[ReportRun]) -> list[Table]:
    """Machine and packages; runs that had the same stand together."""
    found = [
        _alike("table-machine", "What they ran on", {one.label: _machine(one) for one in ran}),
        _alike("table-packages", "Versions of packages", {one.label: one.packages for one in ran}),
    ]
    return [one for one in found if one]


def _machine(run: ReportRun) -> dict[str, str]:
    return {name: value for name, value in run.surroundings.items() if name != CODE}


def _alike(key: str, caption: str, of: Mapping[str, Mapping[str, str]]) -> Table | None:
    """A column for each different set of facts, headed by the runs that share it."""
    sets: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for label, facts in of.items():
        sets.setdefault(tuple(facts.items()), []).append(label)
    names = list(dict.fromkeys(name for facts in of.values() for name in facts))
    if not names:
        return None
    heads = ["all runs"] if len(sets) == 1 else [listing(labels) for labels in sets.values()]
    rows: list[list[Cell]] = [
        [name, *(dict(facts).get(name, NONE) for facts in sets)] for name in names
    ]
    return Table(key, caption, ["", *heads], rows, frozenset(heads))


def left_out(report: Report) -> Section | None:
    """Runs that are not ranked, and why; None if there are none."""
    if not report.left_out:
        return None
    rows: list[list[Cell]] = [[one.label, one.run_id, one.reason] for one in report.left_out]
    columns = ["run", "id", "reason"]
    table = Table("table-left-out", "Runs that are not compared", columns, rows,
                  frozenset(columns))  # fmt: skip
    return Section("left-out", "Left out", ["Only runs with the same data set, split and protocol "
                   "are compared."], tables=[table])  # fmt: skip
