"""What MLflow's UI shows of the experiment: a description, and views that draw at once.

A view is what the UI itself keeps when somebody saves one ("Views" above the table of runs): a tag
of the experiment with the table's order and columns, and its charts. `?viewStateShareKey=NAME` in
an address opens it. What a user wrote or saved is left alone.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils.run_words import NOTE

if TYPE_CHECKING:
    from mlflow import MlflowClient

KIND = {"mlflow.experimentKind": "custom_model_development"}  # not "GenAI"
VIEW = "mlflow.sharedViewState."
COMPARABLE = "tags.`comparable`"  # runs may be compared if it is the same
DATASET = "attributes.`Dataset`"  # columns, as the table of runs calls them
RUN_NAME = "attributes.`Run Name`"
STARTED = "attributes.start_time"
DESCRIPTION = """\
**Which recommender is best on my data, and can I believe it?** Every run is one recommender that
learned from the train side of a split and is judged by its test side, by the same rules for all.

- *Views* (above the runs): **Ranking** sorts by NDCG, **Rating prediction** by RMSE; the second
  symbol left of the search field draws their charts.
- Compare runs with the same `comparable` only: it stands for data set, split and protocol; search
  for `tags.comparable = "..."` to see no others.
- Search for `tags.pipeline = "SVD"`, `tags.dataset = "ml-10m"`, `params.factors = "50"` or
  `metrics.recall_at_k > 0.1`.
- `recarena leaderboard` ranks the runs, `recarena rerun RUN` makes one again.
"""
ONE_RECOMMENDER = "tags.pipeline LIKE '%'"  # and so no run that stands above others


@dataclass(frozen=True)
class View:
    """A way to look at the runs: by which metric, with which columns, and with which charts.

    `bars` and `scatters` (x, y) are metrics, by the title of their section.
    """

    key: str
    name: str
    order_by: str
    ascending: bool
    columns: Sequence[str]
    bars: Mapping[str, Sequence[str]]
    scatters: Mapping[str, Sequence[tuple[str, str]]]


RANKING = View(
    "ranking",
    "Ranking",
    "ndcg_at_k",
    False,
    (
        "ndcg_at_k",
        "recall_at_k",
        "precision_at_k",
        "coverage_at_k",
        "novelty_at_k",
        "rmse",
        "fit_seconds",
        "recommend_seconds",
        "peak_memory_mib",
    ),
    {
        "Accuracy of the lists": ("ndcg_at_k", "recall_at_k", "precision_at_k"),
        "Breadth of the lists": ("coverage_at_k", "novelty_at_k"),
    },
    {
        "Accuracy against cost and breadth": (
            ("fit_seconds", "ndcg_at_k"),
            ("coverage_at_k", "ndcg_at_k"),
            ("novelty_at_k", "ndcg_at_k"),
        )
    },
)
RATINGS = View(
    "ratings",
    "Rating prediction",
    "rmse",
    True,
    ("rmse", "ndcg_at_k", "fit_seconds", "peak_memory_mib"),
    {"Error of the predicted ratings": ("rmse",)},
    {"Error against cost and ranking": (("fit_seconds", "rmse"), ("ndcg_at_k", "rmse"))},
)
VIEWS = (RANKING, RATINGS)


def dress(client: "MlflowClient", experiment: Any) -> None:
    """Give an experiment what its page shows, as far as nobody gave it anything there."""
    now = int(time.time() * 1000)
    wanted = KIND | {NOTE: DESCRIPTION}
    wanted |= {VIEW + one.key: saved(one, now) for one in VIEWS}
    for name, value in wanted.items():
        if name not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, name, value)


def saved(view: View, now: int) -> str:
    """A view as MLflow's UI saves it."""
    columns = [f"metrics.`{name}`" for name in view.columns]
    sections = [*view.bars, *(name for name in view.scatters if name not in view.bars)]
    state = {
        "searchFilter": ONE_RECOMMENDER,
        "orderByKey": f"metrics.`{view.order_by}`",
        "orderByAsc": view.ascending,
        "selectedColumns": [COMPARABLE, DATASET, *columns],
        "columnOrder": [RUN_NAME, STARTED, COMPARABLE, *columns, DATASET],
        "columnWidths": {RUN_NAME: 300, COMPARABLE: 100, STARTED: 130},  # pixels
        "runsHiddenMode": "FIRST_20_RUNS",  # are in the charts
        "compareRunCharts": [*_bars(view), *_scatters(view)],
        "compareRunSections": [_section(name) for name in sections],
        "isAccordionReordered": True,  # or the UI sorts the sections by their names
    }
    return json.dumps({"name": view.name, "createdAt": now, "state": json.dumps(state)})


def _section(name: str) -> dict[str, object]:
    return {"uuid": name, "name": name, "display": True, "isReordered": False, "deleted": False}


def _bars(view: View) -> list[dict[str, object]]:
    return [
        {
            "type": "BAR",
            "uuid": f"bar {metric}",
            "metricSectionId": section,
            "metricKey": metric,
            "displayName": metric,
            "runsCountToCompare": 20,
        }
        for section, metrics in view.bars.items()
        for metric in metrics
    ]


def _scatters(view: View) -> list[dict[str, object]]:
    return [
        {
            "type": "SCATTER",
            "uuid": f"scatter {x} {y}",
            "metricSectionId": section,
            "xaxis": {"key": x, "type": "METRIC"},
            "yaxis": {"key": y, "type": "METRIC"},
            "runsCountToCompare": 100,
        }
        for section, pairs in view.scatters.items()
        for x, y in pairs
    ]
