"""The one runner, with a tracker in memory."""

import hashlib
import pickle
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from core.dataset import Dataset
from core.learning import epochs, report
from core.params import PipelineParams
from core.protocol import EvaluationProtocol
from core.recommender import Recommender
from fake_tracker import FakeTracker
from pipelines.random.model import Random, RandomParams
from pipelines.SVD.model import SVDParams, svd
from tiny_datasets import noisy
from utils.runner import Pipeline, Source

PROTOCOL = EvaluationProtocol("tiny", k=5)
SOURCE = Source("a test", "tiny", noisy)


def run_svd(folder: Path) -> FakeTracker:
    tracker = FakeTracker(folder)
    Pipeline("SVD", svd, SVDParams, folder).run(
        SVDParams(factors=20, fill_with_zero=False), SOURCE, PROTOCOL, tracker
    )
    return tracker


def test_a_run_leaves_everything(tmp_path: Path) -> None:
    (run,) = run_svd(tmp_path).runs
    assert run.status == "FINISHED"
    assert run.order == ["params", "artifacts", "metrics", "model"]
    assert run.params["factors"] == 20
    assert run.params["protocol.k"] == 5
    assert run.tags["fingerprint"] == noisy().fingerprint
    assert run.dataset == "tiny from a test"
    assert {"rmse", "recall_at_k", "fit_seconds", "peak_memory_mib"} <= run.metrics.keys()
    files = {str(file.relative_to(run.folder)) for file in run.folder.rglob("*") if file.is_file()}
    assert files == {
        "environment.txt",
        "surroundings.json",
        "models/SVD.pkl",
        "models/ids.npz",
        "models/seen.parquet",
        "evaluation/recommendations.parquet",
        "evaluation/per_user.parquet",
        "evaluation/items.parquet",
        "evaluation/test_predictions.parquet",
    }


def test_a_run_says_what_its_split_gives_away(tmp_path: Path) -> None:
    (run,) = run_svd(tmp_path).runs
    names = ("train_after_median_test", "test_items_unseen", "test_users_unseen")
    assert {f"share_{name}" for name in names} <= run.metrics.keys()
    later = run.metrics["share_train_after_median_test"]
    assert f"; {100 * later:.1f} % of the train ratings are later" in run.tags["leakage"]
    assert "**Judged**: tiny, all users: the newest 5 ratings of each user are" in run.description
    assert f" {run.tags['leakage']}\n" in run.description
    assert f"{run.metrics['ndcg_at_k']:.4f}" in run.description


def test_a_model_to_be_served_is_logged_with_what_it_can_be_compared_by(tmp_path: Path) -> None:
    (run,) = run_svd(tmp_path).runs
    tags = run.models["SVD"]
    assert tags.keys() == {"dataset", "comparable", "ndcg_at_k"}
    assert float(tags["ndcg_at_k"]) == run.metrics["ndcg_at_k"]


def test_the_pickle_is_the_one_that_the_tag_names(tmp_path: Path) -> None:
    (run,) = run_svd(tmp_path).runs
    pickled = (run.folder / run.tags["model_file"]).read_bytes()
    assert hashlib.sha256(pickled).hexdigest() == run.tags["model_sha256"]
    assert pickle.loads(pickled).score(np.array([0], np.int32)).shape == (1, 120)


def test_every_number_can_be_recomputed_from_the_files(tmp_path: Path) -> None:
    (run,) = run_svd(tmp_path).runs
    data = noisy()
    per_user = parquet.read_table(run.folder / "evaluation/per_user.parquet").to_pandas()
    lists = parquet.read_table(run.folder / "evaluation/recommendations.parquet").to_pandas()
    stars = parquet.read_table(run.folder / "evaluation/test_predictions.parquet").to_pandas()
    for name in ("recall_at_k", "precision_at_k", "ndcg_at_k", "map_at_k", "mrr_at_k"):
        assert per_user[name].mean() == pytest.approx(run.metrics[name], abs=1e-12)
    liked = data.test.where(data.test.ratings >= 4)
    pairs = set(zip(data.user_ids.ids[liked.users], data.item_ids.ids[liked.items], strict=True))
    hits = sum((u, i) in pairs for u, i in zip(lists.user_id, lists.movie_id, strict=True))
    assert hits / 5 / len(per_user) == pytest.approx(run.metrics["precision_at_k"])
    assert lists["rank"].max() == 5
    error = stars.prediction.astype(float) - stars.rating
    assert (error**2).mean() ** 0.5 == pytest.approx(run.metrics["rmse"])


def test_no_predictions_where_there_are_none(tmp_path: Path) -> None:
    tracker = FakeTracker(tmp_path)
    Pipeline("random", Random, RandomParams, tmp_path).run(
        RandomParams(), SOURCE, PROTOCOL, tracker
    )
    (run,) = tracker.runs
    assert "rmse" not in run.metrics
    assert not (run.folder / "evaluation/test_predictions.parquet").exists()


class Broken(Recommender):
    """Fails where it is told to."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def fit(self, dataset: Dataset) -> Self:
        raise self.error

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("error", "status"), [(MemoryError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_a_run_that_fails_is_never_finished(
    tmp_path: Path, error: BaseException, status: str
) -> None:
    tracker = FakeTracker(tmp_path)
    pipeline: Pipeline[Any] = Pipeline("x", lambda _: Broken(error), PipelineParams, tmp_path)
    with pytest.raises(type(error)):
        pipeline.run(PipelineParams(), SOURCE, PROTOCOL, tracker)
    (run,) = tracker.runs
    assert run.status == status
    assert run.order == ["params"]


@pytest.mark.parametrize("args", [["--factors", "0"], ["--factors", "many"], ["--top-k", "0"]])
def test_a_wrong_parameter_is_one_line_before_any_work(
    tmp_path: Path, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("utils.runner.choose_dataset", lambda _: pytest.fail("work was begun"))
    with pytest.raises(SystemExit) as refused:
        Pipeline("SVD", svd, SVDParams, tmp_path).main(args)
    message = str(refused.value.code)
    assert message.startswith("error: SVD: ")
    assert "\n" not in message


class Slow(Random):
    """Reports losses, and has a table of what it learned."""

    def fit(self, dataset: Dataset) -> Self:
        for epoch in epochs("slow", 3):
            report(epoch, loss=1 / epoch)
        return super().fit(dataset)

    def tables(self, dataset: Dataset) -> dict[str, dict[str, NDArray[Any]]]:
        return {"items": {"title": np.array(dataset.titles), "place": np.arange(120)}}


def test_learning_curves_and_tables_are_tracked(tmp_path: Path) -> None:
    tracker = FakeTracker(tmp_path)
    pipeline = Pipeline("random", Slow, RandomParams, tmp_path)
    pipeline.run(RandomParams(), SOURCE, PROTOCOL, tracker)
    (run,) = tracker.runs
    assert run.curves == {"loss": [(1, 1.0), (2, 0.5), (3, 1 / 3)]}
    table = parquet.read_table(run.folder / "tables/items.parquet").to_pydict()
    assert table == {"title": list(noisy().titles), "place": list(range(120))}
    shown = (run.folder / "tables/items.csv").read_text().splitlines()
    assert shown[:2] == ['"title","place"', '"Item 0 (1999)",0']
