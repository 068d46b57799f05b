"""One run above several that were started together, which sums them up.

It has no tag `pipeline`, so it is no recommender's run, and on no leaderboard.
"""

import csv
import io
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.errors import RecArenaError
from core.settings import Settings
from datareader.reader import choose_dataset
from utils import experiment_page, run_end
from utils.run_words import NOTE, SHOWN, shown
from utils.settling import settled
from utils.tracking import explained, prepare_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

VARIABLE = "RECARENA_PARENT_RUN"  # what the processes of the children are told
PARENT = "mlflow.parentRunId"
TABLE = "leaderboard.csv"
FIRST = 3  # of the children are in the first line of the description
TERMINATED = 128 + signal.SIGTERM


@dataclass
class Group:
    """Runs that were started together; `failed` are those that were not finished."""

    id: str | None
    failed: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a child's process is to have."""
        return {VARIABLE: self.id} if self.id else {}


@contextmanager
def together(
    names: Sequence[str], dataset: str | None, say: Callable[[str], None]
) -> Iterator[Group]:
    """The runs of several recommenders below one of their own; a single one has none above.

    Raises RecArenaError if it is not clear on which data set they are to run.
    """
    if len(names) == 1:
        yield Group(None)
        return
    settings = Settings.load(**({"dataset": dataset} if dataset else {}))
    with group(settings, names, choose_dataset(settings).shown_name, say) as found:
        yield found


@contextmanager
def group(
    settings: Settings, names: Sequence[str], dataset: str, say: Callable[[str], None]
) -> Iterator[Group]:
    """Keep a run above the runs that are started in the block, and sum them up at its end.

    It ends FINISHED, FAILED if a child did, KILLED if the block is interrupted. Where MLflow does
    not answer there is none, and `say` is told so: the children matter more.
    """
    try:
        client, run_id = _begin(settings, names, dataset)
    except RecArenaError as error:
        say(f"no run above these runs: {error}")
        yield Group(None)
        return
    found = Group(run_id)
    try:
        with _sigterm_interrupts(), run_end.alive(run_id):
            yield found
    except BaseException as error:
        failed = isinstance(error, Exception)
        why = f"{type(error).__name__}: {error}"[:500]
        _finish(client, found, "FAILED" if failed else "KILLED", why, 0)
        raise
    status, reason = "FINISHED", None
    if found.failed:
        status = "FAILED"
        reason = f"{len(found.failed)} of {len(names)} failed: {', '.join(found.failed)}"
    _finish(client, found, status, reason, settings.tracker_patience)


def _begin(settings: Settings, names: Sequence[str], dataset: str) -> tuple["MlflowClient", str]:
    prepare_client(settings)
    import mlflow  # noqa: PLC0415 - takes seconds
    from mlflow.tracking.context.registry import resolve_tags  # noqa: PLC0415

    mlflow.set_tracking_uri(settings.tracking_uri)
    client = mlflow.MlflowClient()
    with explained(settings.tracking_uri):
        experiment = settled(lambda: mlflow.set_experiment(settings.experiment_name))
        experiment_page.dress(client, experiment)
        tags = {
            "group": "several recommenders",
            "dataset": dataset,
            run_end.ALIVE: run_end.now(),
            NOTE: f"{len(names)} recommenders on {dataset}: {', '.join(names)}. They are running.",
        }
        name = f"{len(names)} recommenders · {dataset}"
        made = client.create_run(experiment.experiment_id, tags=resolve_tags(tags), run_name=name)
    return client, str(made.info.run_id)


def _finish(
    client: "MlflowClient",
    found: Group,
    status: str,
    why: str | None,
    patience: float,
) -> None:
    """Sum the children up and end; whatever MLflow says to that, the children are there."""
    if found.id is None:
        return
    with suppress(Exception):
        children = _children(client, found.id)
        _sum_up(client, found.id, children)
    with suppress(Exception):
        run_end.end(found.id, status, why, patience)


def _children(client: "MlflowClient", run_id: str) -> list[Any]:
    """The runs below a run, best first, those without a result last."""
    experiment = client.get_run(run_id).info.experiment_id
    query = f"tags.`{PARENT}` = '{run_id}'"
    order = ["metrics.ndcg_at_k DESC", "attributes.start_time ASC"]
    return list(client.search_runs([experiment], query, max_results=1000, order_by=order))


def _sum_up(client: "MlflowClient", run_id: str, children: Sequence[Any]) -> None:
    finished = [one for one in children if one.info.status == "FINISHED"]
    client.set_tag(run_id, NOTE, describe(children))
    if not finished:
        return
    best = finished[0]
    tags = {
        "best": best.data.tags.get("pipeline", ""),
        "best_run": best.info.run_id,
        "best_ndcg_at_k": shown(best.data.metrics.get("ndcg_at_k")),
    }
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    client.log_text(run_id, as_csv(finished), TABLE)


def describe(children: Sequence[Any]) -> str:
    """The children in Markdown: a table of their chief metrics, best first."""
    if not children:
        return "None of these runs came as far as MLflow."
    k = children[0].data.params.get("protocol.k", "k")
    head = " | ".join(["recommender", *(name.format(k=k) for name in SHOWN.values())])
    rows = [f"| {head} |", f"|---|{'---:|' * len(SHOWN)}"]
    for one in children:
        link = f"#/experiments/{one.info.experiment_id}/runs/{one.info.run_id}"
        state = "" if one.info.status == "FINISHED" else f" ({one.info.status})"
        values = [shown(one.data.metrics.get(name)) for name in SHOWN]
        name = f"[{one.data.tags.get('pipeline', '')}]({link}){state}"
        rows.append(f"| {' | '.join([name, *values])} |")
    best = [
        f"**{one.data.tags.get('pipeline', '')}** {shown(one.data.metrics['ndcg_at_k'])}"
        for one in children[:FIRST]
        if "ndcg_at_k" in one.data.metrics
    ]
    said = f"Best NDCG@{k}: {', '.join(best)}\n\n" if best else ""
    return said + "\n".join(rows) + "\n"


def as_csv(children: Sequence[Any]) -> str:
    """All metrics of the children, best first."""
    names = sorted({n for one in children for n in one.data.metrics if "/" not in n})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["recommender", "run_id", *names])
    for one in children:
        values = [one.data.metrics.get(name, "") for name in names]
        writer.writerow([one.data.tags.get("pipeline", ""), one.info.run_id, *values])
    return text.getvalue()


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Have SIGTERM leave the block as Ctrl-C does, so that all runs are ended as they should."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
