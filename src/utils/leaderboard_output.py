"""The leaderboard as people and programs read it."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from core.harmless import harmless
from utils.leaderboard import Board, Row, telling_apart, value_of
from utils.run_search import DEFAULTS, Entry
from utils.run_statistics import OF_EACH_USER

SHOWN = ("ndcg_at_k", "recall_at_k", "precision_at_k")
BESIDE = ("rmse", "coverage_at_k", "novelty_at_k")
STAGES = {"fit_seconds": "fit s", "recommend_seconds": "rank s"}
MEMORY = "peak_memory_mib"
ID = 8  # characters of a run id
BY_OWN_TIME = ("last_n", "leave_one_out")
NONE = "-"


def title(board: Board) -> str:
    """What the runs were judged on."""
    first = board.rows[0].run
    judged = board.rows[0].metrics.get("n_users_evaluated", 0)
    fingerprint = first.fingerprint or "unknown"
    return harmless(f"{first.dataset}, {judged:,.0f} users judged, split {fingerprint}")


def heads(board: Board, metrics: Sequence[str] = ()) -> list[str]:
    """The columns' heads; the metric that the runs are ranked by comes first."""
    k = board.rows[0].run.protocol.get("k", DEFAULTS["k"])
    names = [_head(name, k) for name in columns(board, metrics)]
    return [harmless(one) for one in ["place", "recommender", names[0], "95 % of it", *names[1:]]]


def columns(board: Board, metrics: Sequence[str] = ()) -> list[str]:
    """The metrics that are shown: by which the runs are ranked, the usual ones, those asked for."""
    names = (board.metric, *SHOWN, *metrics, *BESIDE, *STAGES, MEMORY)
    return list(dict.fromkeys(names))


def _head(name: str, k: str) -> str:
    if name == MEMORY:
        return "MiB"
    if name == "rmse":
        return "RMSE"
    return STAGES.get(name, name.replace("_at_k", f"@{k}").replace("_seconds", " s"))


def cells(board: Board, metrics: Sequence[str] = ()) -> list[list[str]]:
    """The rows as text, a cell for each head, the run's id last."""
    names = columns(board, metrics)
    labels = _labels(board)
    tied = [row.placing.place for row in board.rows if row.placing]
    found = []
    for row, label in zip(board.rows, labels, strict=True):
        interval, place = NONE, NONE
        if row.placing:
            interval = f"{row.placing.low:.4f}-{row.placing.high:.4f}"
            mark = "=" if tied.count(row.placing.place) > 1 else ""
            place = f"{row.placing.place}{mark}"
        values = [number(value_of(row, name), name) for name in names]
        found.append(
            [place, label, values[0], interval, *values[1:], harmless(row.run.run_id[:ID])]
        )
    return found


def number(value: float | None, name: str) -> str:
    """A value as it is shown; a dash where a metric has no meaning."""
    if value is None:
        return NONE
    if name == MEMORY or name.startswith("n_"):
        return f"{value:,.0f}"
    if name.endswith("_seconds"):
        return f"{value:.1f}"
    return f"{value:.2f}" if name == "novelty_at_k" else f"{value:.4f}"


def _labels(board: Board) -> list[str]:
    """Names of the rows: the recommender and, on lines of their own, what tells its rows apart."""
    found = []
    for row, said in zip(board.rows, telling_apart(board.rows), strict=True):
        if len(row.runs) > 1:
            said.append(f"{len(row.runs)} seeds{_spread(row, board.metric)}")
        found.append("\n ".join(harmless(one) for one in [row.run.pipeline, *said]))
    return found


def _spread(row: Row, metric: str) -> str:
    """How far the seeds are from each other, by the metric that the runs are ranked by."""
    return f", sd {number(row.spread[metric], metric)}" if metric in row.spread else ""


def remarks(board: Board) -> list[str]:
    """What a reader has to know of the table, a sentence or two each."""
    found = []
    places = [row.placing.place for row in board.rows if row.placing]
    if len(places) > len(set(places)):
        found.append(
            "=: the users cannot tell runs of one place apart (paired randomisation test, Holm's "
            "correction, 5 %)."
        )
    if board.metric not in OF_EACH_USER:
        found.append(
            "Places and intervals are for metrics of each user: --sort "
            f"{', '.join(name.removesuffix('_at_k') for name in OF_EACH_USER)}."
        )
    found.append(leakage(board.rows[0].run))
    if board.more:
        found.append(f"{board.more:,} more rows: --top 0 shows all that were looked at.")
    return [harmless(one) for one in [*found, *board.notes] if one]


def leakage(run: Entry) -> str:
    """How far the split lets the recommenders know what they are to foretell; from the run."""
    if run.leakage:
        return run.leakage
    said = []
    newer = run.metrics.get("share_train_after_median_test")
    if newer is not None:
        said.append(f"{newer:.1%} of the train ratings are newer than the median test rating")
    shares = {of: run.metrics.get(f"share_test_{of}_unseen") for of in ("items", "users")}
    unseen = [f"{share:.1%} of {of}" for of, share in shares.items() if share is not None]
    if unseen:
        said.append(f"of the test ratings, {' and '.join(unseen)} unseen in train")
    if (DEFAULTS | run.protocol).get("split") in BY_OWN_TIME:
        said.append("each user is split by their own time, so global time is not respected")
    return f"Leakage: {'; '.join(said)}." if said else ""


def apart(board: Board) -> list[str]:
    """The runs that cannot be compared, in lines: how many of which recommenders, and why."""
    by_reason: dict[str, list[Entry]] = defaultdict(list)
    for run, reason in board.apart:
        by_reason[reason].append(run)
    found = []
    for reason, runs in by_reason.items():
        names = ", ".join(sorted({run.pipeline for run in runs}))
        n = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        day = datetime.fromtimestamp(max(run.started for run in runs) / 1000, UTC)
        found.append(harmless(f"{n} ({names}), newest {day:%Y-%m-%d %H:%M} UTC: {reason}"))
    return found


def records(board: Board) -> list[dict[str, object]]:
    """Every row and then every run apart as plain values, for JSON."""
    found: list[dict[str, object]] = []
    for row in board.rows:
        placing = asdict(row.placing) if row.placing else None
        if placing:
            placing["metric"] = board.metric
            del placing["index"]
        found.append(
            row.run.record()
            | {
                "metrics": row.metrics,
                "seconds": row.seconds,
                "seeds": [run.run_id for run in row.runs] if len(row.runs) > 1 else [],
                "spread": row.spread,
                "placing": placing,
                "apart": None,
            }
        )
    empty: dict[str, object] = {"seeds": [], "spread": {}, "placing": None}
    return found + [run.record() | empty | {"apart": reason} for run, reason in board.apart]


def as_json(board: Board) -> str:
    """The leaderboard as JSON, a list of runs."""
    return json.dumps(records(board), indent=2)


def as_csv(board: Board) -> str:
    """The leaderboard as comma-separated values, one column a metric and a stage."""
    listed = records(board)
    metrics = sorted({str(name) for one in listed for name in one["metrics"]})  # type: ignore[attr-defined]
    stages = sorted({str(name) for one in listed for name in one["seconds"]})  # type: ignore[attr-defined]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["pipeline", "run_id", "dataset", "fingerprint"]
    of_place = ["place", "low", "high", "p"]
    stage_heads = [f"{stage}_seconds" for stage in stages]
    writer.writerow([*head, *metrics, *stage_heads, *of_place, "n_seeds", "apart"])
    for one in listed:
        placing = one["placing"] or {}
        writer.writerow(
            [
                *(one[name] for name in head),
                *(one["metrics"].get(name, "") for name in metrics),  # type: ignore[attr-defined]
                *(one["seconds"].get(name, "") for name in stages),  # type: ignore[attr-defined]
                *(placing.get(name, "") for name in of_place),  # type: ignore[attr-defined]
                len(one["seeds"]) or 1,  # type: ignore[arg-type]
                one["apart"] or "",
            ]
        )
    return text.getvalue()
