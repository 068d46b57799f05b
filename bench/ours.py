"""RecArena as a contestant; prints what its peers' scripts print.

    ours.py ranking DATA LISTS              the ranking kernel and the evaluation, on given factors
    ours.py pipeline DATA NAME [PARAMS ...] fit, rank and predict; PARAMS such as n_epochs=1 seed=0
                                            in one argument, one fit for each

Everything runs once on a few users first: compiled code comes from its cache then, as it does in
every process but the first of an installation.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from core import ranking
from core.dataset import Dataset, IdMap, Interactions
from core.protocol import EvaluationProtocol
from core.recommender import RatingPredictor, Recommender
from harness.data import FACTORS, load
from peers.timing import Timing
from utils.evaluation import evaluate, predict_test
from utils.runner import load_pipeline

K = 10


class GivenFactors(RatingPredictor):
    """A model whose factors somebody else made."""

    def __init__(self, users: np.ndarray, items: np.ndarray) -> None:
        self.users, self.items = users, np.ascontiguousarray(items.T)

    def fit(self, dataset: Dataset) -> "GivenFactors":  # noqa: ARG002 - nothing to learn
        """Itself."""
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """The product of the factors."""
        return self.users[users] @ self.items

    def score_into(self, users: np.ndarray, out: np.ndarray) -> None:
        """The same without a new array."""
        np.matmul(self.users[users], self.items, out=out)

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The product of the factors of each pair."""
        return np.einsum("nf,fn->n", self.users[users], self.items[:, items])


def tiny() -> Dataset:
    """A data set for which nothing takes time."""
    rng = np.random.default_rng(0)
    users, items = 60, 40
    pairs = rng.permutation(users * items)[:1200]
    rows = Interactions(
        (pairs // items).astype(np.int32),
        (pairs % items).astype(np.int32),
        (rng.integers(1, 11, len(pairs)) / 2).astype(np.float32),
        np.arange(len(pairs), dtype=np.int64),
        users,
        items,
    )
    newest = np.arange(len(pairs)) >= 1000
    return Dataset(
        name="tiny",
        train=rows.where(~newest),
        test=rows.where(newest),
        user_ids=IdMap(np.arange(users)),
        item_ids=IdMap(np.arange(items)),
        item_words=[["drama", "war"][: item % 3] for item in range(items)],
        titles=[str(item) for item in range(items)],
        fingerprint="tiny",
    )


def rank(timing: Timing, file: Path, lists: Path) -> None:
    """The kernel alone for all users, and the evaluation of the lists."""
    dataset = load(file)
    everybody = np.arange(len(dataset.user_ids), dtype=np.int32)
    seen = dataset.train.matrix
    written, about = {}, {}
    for factors in FACTORS:
        with np.load(file) as arrays:
            sides = (arrays[f"{side}_factors_{factors}"] for side in ("user", "item"))
            model = GivenFactors(*sides)
        n_items = len(dataset.item_ids)
        ranking.rank(model.score_into, everybody[:1000], n_items, K, exclude=seen)
        with timing(f"rank {factors}"):
            found = ranking.rank(model.score_into, everybody, n_items, K, exclude=seen)
        written[str(factors)] = found.items
        if factors == FACTORS[0]:
            about = judged(timing, model, dataset)
    np.savez(lists, **written)
    timing.finish("", **about)


def judged(timing: Timing, model: Recommender, dataset: Dataset) -> dict[str, Any]:
    """Ranking and evaluation as a run does them; counts of what was judged."""
    evaluation = evaluate(model, dataset, EvaluationProtocol("synthetic"))
    timing.seconds["evaluate"] = evaluation.seconds["evaluate_seconds"]
    timing.seconds["rank and evaluate"] = sum(evaluation.seconds.values())
    judged = len(evaluation.users)
    return {"users": len(dataset.user_ids), "judged": judged, "test": len(dataset.test)}


def fit(timing: Timing, file: Path, name: str, settings: list[str]) -> None:
    """A pipeline's own work without database and MLflow, once for each of the settings."""
    pipeline = load_pipeline(name)
    dataset = load(file)
    tables: dict[str, int] = {}
    for setting in settings or [""]:
        given = dict(pair.split("=") for pair in setting.split())
        params = pipeline.params.load(pipeline.folder, given)
        stages(Timing(), pipeline.recommender(params), tiny(), "")
        model = pipeline.recommender(params)
        stages(timing, model, dataset, f" {setting}" if setting else "")
        tables = {name: len(next(iter(t.values()))) for name, t in model.tables(dataset).items()}
    timing.finish("", tables=tables)


def stages(timing: Timing, model: Recommender, dataset: Dataset, label: str) -> None:
    """Fit, rank everybody, and predict the test ratings where the model can."""
    everybody = np.arange(len(dataset.user_ids), dtype=np.int32)
    with timing(f"fit{label}"):
        model.fit(dataset)
    with timing(f"rank{label}"):
        model.rank(everybody, K, exclude=dataset.train.matrix)
    if isinstance(model, RatingPredictor):
        with timing(f"predict{label}"):
            predict_test(model, dataset)


if __name__ == "__main__":
    what, data, *rest = sys.argv[1:]
    if what == "ranking":
        rank(Timing(), Path(data), Path(rest[0]))
    else:
        fit(Timing(), Path(data), rest[0], rest[1:])
