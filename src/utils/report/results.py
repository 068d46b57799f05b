"""What came out: ranking, costs, who and what it works for."""

from collections.abc import Sequence

from core.statistics import Interval
from utils.report import groups, plots
from utils.report.data import METRIC, Ranked, Report, ReportRun
from utils.report.parts import NONE, PLOTTED, Cell, Plot, Section, Table, listing, number, percent

CURVES = 24  # learning curves
PLACE = "place"
ALSO = ("recall_at_k", "precision_at_k", "map_at_k", "mrr_at_k", "hit_rate_at_k", "rmse")


def answer(report: Report) -> list[str]:
    """The question of the page, answered in a sentence or two."""
    best, *others = report.ranked
    tied = [one.run.label for one in others if one.standing.place == 1]
    name, found = report.named(METRIC), best.standing.interval
    said = [
        f"{best.run.label} has the highest {name}: {found.mean:.4f}, with a 95 % interval from "
        f"{found.low:.4f} to {found.high:.4f} over {report.n_users:,} judged users."
    ]
    if tied:
        said.append(
            f"These users cannot tell it from {listing(tied)}: the difference may be chance."
        )
    elif others:
        said.append("Every other run is worse by more than chance would explain.")
    rated = [(one.run.metrics["rmse"], one.run.label) for one in report.ranked
             if "rmse" in one.run.metrics]  # fmt: skip
    if rated:
        error, label = min(rated)
        said.append(f"Ratings are predicted best by {label}: RMSE {error:.4f} stars.")
    return said


def ranking(report: Report) -> Section:
    """Who is best, and by how much that can be believed."""
    name = report.named(METRIC)
    dots = _dots(report)
    worst, best = report.ranked[-1], report.ranked[0]
    plot = Plot(
        "plot-ranking",
        f"{name} of each run with its 95 % interval",
        plots.ranking(dots, f"{name}, mean and 95 % interval"),
        f"A dot and a line for each run, from {best.run.label} with "
        f"{best.standing.interval.mean:.4f} to {worst.run.label} with "
        f"{worst.standing.interval.mean:.4f}. Filled dots are the best and those tied with it. "
        "The table below has every number.",
    )
    columns = [
        "run", PLACE, name, "95 % interval", "behind the best", "95 % interval of that",
        "p (Holm)", "effect size",
    ]  # fmt: skip
    text = [
        "Runs of one place are statistically tied: the difference to the best of that place is not "
        "significant at 5 %, by Fisher's randomisation test of paired users, corrected by Holm's "
        "method for the number of comparisons. Intervals are bootstrap intervals over users. The "
        "effect size is the mean difference in standard deviations of the users' differences "
        "(Cohen's d).",
        "Users are the sample here: what another split or another seed would change is not in it.",
    ]
    rows = [_ranking_row(one) for one in report.ranked]
    table = Table("table-ranking", f"Ranking by {name}, best first", columns, rows)
    return Section(
        "ranking",
        "Ranking",
        [*text, *report.notes, *_unplotted(report)],
        [plot],
        [table, _all(report)],
    )


def _ranking_row(one: Ranked) -> list[Cell]:
    standing, behind = one.standing, one.standing.behind
    found = standing.interval
    row: list[Cell] = [one.run.label, str(standing.place), number(found.mean, 4)]
    row.append(f"{found.low:.4f} to {found.high:.4f}")
    if behind is None:
        return row + [NONE] * 4
    p = standing.p_holm
    return [
        *row,
        number(-behind.difference, 4),
        f"{number(-behind.high, 4)} to {number(-behind.low, 4)}",
        NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}",
        number(-behind.effect, 2),
    ]


def _all(report: Report) -> Table:
    """Every other metric of accuracy."""
    metrics = [one for one in ALSO if any(one in other.run.metrics for other in report.ranked)]
    rows = [
        [one.run.label, *(number(one.run.metrics.get(name), 4) for name in metrics)]
        for one in report.ranked
    ]
    columns = ["run", *(report.named(one) for one in metrics)]
    return Table("table-metrics", "Other measures of accuracy", columns, rows)


def costs(report: Report) -> Section:
    """Accuracy against time, coverage and novelty."""
    name = report.named(METRIC)
    found = [
        _scatter(report, "time", "time", [_took(one.run) for one in report.ranked],
                 "seconds to fit and rank (logarithmic)", log=True),
        _scatter(report, "coverage", "coverage",
                 [one.run.metrics.get("coverage_at_k") for one in report.ranked],
                 f"{report.named('coverage_at_k')}, share of the catalogue recommended"),
        _scatter(report, "novelty", "novelty",
                 [one.run.metrics.get("novelty_at_k") for one in report.ranked],
                 f"{report.named('novelty_at_k')}, bits"),
    ]  # fmt: skip
    text = [
        f"Up is more accurate by {name}. Left is faster; right recommends more of the catalogue, "
        "or items that fewer people know. Filled dots are the best and those tied with it.",
    ]
    heading = "Accuracy against time, coverage and novelty"
    return Section("costs", heading, text, [one for one in found if one], [_took_table(report)])


def _took_table(report: Report) -> Table:
    """What each run took, and what else it gave than accuracy."""
    rows = [
        [
            run.label,
            number(run.seconds.get("fit"), 1),
            number(run.seconds.get("recommend"), 1),
            number(run.metrics.get("peak_memory_mib"), 0),
            number(run.metrics.get("coverage_at_k"), 4),
            number(run.metrics.get("novelty_at_k"), 2),
        ]
        for run in (one.run for one in report.ranked)
    ]
    columns = [
        "run", "fit, seconds", "rank, seconds", "peak memory, MiB",
        report.named("coverage_at_k"), f"{report.named('novelty_at_k')}, bits",
    ]  # fmt: skip
    return Table("table-costs", "Time, memory, coverage and novelty", columns, rows)


def _took(run: ReportRun) -> float | None:
    fit, rank = run.seconds.get("fit"), run.seconds.get("recommend")
    return None if fit is None or rank is None else max(fit + rank, 1e-3)


def _scatter(
    report: Report, key: str, what: str, x: Sequence[float | None], label: str, *, log: bool = False
) -> Plot | None:
    """A plot of the runs that have a value; None if there are none."""
    name = report.named(METRIC)
    pairs = [
        (dot, value) for dot, value in zip(_dots(report), x, strict=False) if value is not None
    ]
    if not pairs:
        return None
    said = "; ".join(f"{dot.name} {value:.3g}, {dot.interval.mean:.4f}" for dot, value in pairs)
    dots = [dot for dot, _ in pairs]
    return Plot(
        f"plot-{key}",
        f"{name} against {what}",
        plots.against(dots, [value for _, value in pairs], label, name, log=log),
        f"A dot for each run: {label}, then {name}. {said}.",
    )


def distribution(report: Report) -> Section:
    """How the hits are spread over users."""
    runs = [one.run for one in report.ranked]
    shares = [one.hits for one in runs]
    labels = ["1 hit", *(f"{n} hits" for n in range(2, groups.MOST_HITS))]
    labels.append(f"{groups.MOST_HITS} or more")
    names = [one.label for one in runs]
    plot = Plot(
        "plot-distribution",
        "Users with hits",
        plots.stacked(names[:PLOTTED], [one[1:] for one in shares[:PLOTTED]], labels,
                      "share of the judged users"),
        "A bar for each run: the share of users with at least one hit, divided by how many. The "
        "table below has every number.",
    )  # fmt: skip
    text = [
        "A mean hides that most users may get nothing. A hit is a relevant test item in the list; "
        "the rest of the users, up to 100 %, had none."
    ]
    rows = [
        [name, *(percent(float(part)) for part in row)]
        for name, row in zip(names, shares, strict=True)
    ]
    table = Table("table-distribution", "Share of the judged users by their number of hits",
                  ["run", "no hit", *labels], rows)  # fmt: skip
    return Section("distribution", "Distribution over users", text, [plot], [table])


def learning(report: Report) -> Section:
    """What iterative models reported while they learned."""
    found = [
        (one.run.label, name, [*points])
        for one in report.ranked
        for name, points in sorted(one.run.curves.items())
        if len(points) > 1
    ]
    text = ["What iterative recommenders reported of each epoch, on their train ratings."]
    if not found:
        text = ["None of these runs reported a learning curve."]
    if len(found) > CURVES:
        text.append(f"Shown are the first {CURVES} of {len(found)} curves.")
    shown = [
        Plot(
            f"plot-curve-{place}",
            f"{label}: {name}",
            plots.curve(points, name),
            f"{name} over {len(points)} points, from {points[0][1]:.4g} in epoch {points[0][0]} to "
            f"{points[-1][1]:.4g} in epoch {points[-1][0]}.",
        )
        for place, (label, name, points) in enumerate(found[:CURVES])
    ]
    return Section("learning", "Learning curves", text, shown)


def _dots(report: Report) -> list[plots.Dot]:
    return [
        plots.Dot(one.run.label, _interval(one), one.standing.place == 1)
        for one in report.ranked[:PLOTTED]
    ]


def _interval(one: Ranked) -> Interval:
    return one.standing.interval


def _unplotted(report: Report) -> list[str]:
    if len(report.ranked) <= PLOTTED:
        return []
    return [f"Plots show the best {PLOTTED} of {len(report.ranked)} runs, tables all."]
