"""Every recommender on every strategy of the split, read from a real PostgreSQL."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import fresh_database
from core.dataset import Dataset
from core.protocol import EvaluationProtocol
from core.recommender import NO_ITEM
from datareader.reader import choose_dataset, read_dataset
from table_models import loader, synthetic
from table_models.datasets import find
from utils.evaluation import evaluate
from utils.local_postgres import LocalPostgres
from utils.runner import load_pipeline, pipeline_files

SPLITS: dict[str, dict[str, Any]] = {
    "leave_one_out": {"split": "leave_one_out"},
    "random": {"split": "random", "n_folds": 2, "fold": 2},
    "global_time": {"split": "global_time", "split_quantile": 0.4},
    "validation": {
        "split": "global_time",
        "split_date": date(2004, 1, 1),
        "split_part": "validation",
    },
}


@pytest.fixture(scope="module")
def splits(
    postgres_server: LocalPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[EvaluationProtocol, Dataset]]]:
    """A small synthetic data set, as each protocol splits it."""
    folder: Path = tmp_path_factory.mktemp("files")
    synthetic.generate(folder, users=150, movies=300, ratings=4000, seed=3)
    with fresh_database(postgres_server) as settings:
        loader.load(settings, find("synthetic"), folder)
        source = choose_dataset(settings)
        protocols = {n: EvaluationProtocol("synthetic", **given) for n, given in SPLITS.items()}
        yield {n: (one, read_dataset(settings, source, one)) for n, one in protocols.items()}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", pipeline_files())
def test_every_recommender_can_be_judged(
    splits: dict[str, tuple[EvaluationProtocol, Dataset]], name: str, split: str
) -> None:
    protocol, data = splits[split]
    pipeline = load_pipeline(name)
    found = evaluate(pipeline.recommender(pipeline.params()).fit(data), data, protocol)
    assert all(np.isfinite(value) for value in found.metrics.values()), found.metrics
    seen = data.train.matrix.toarray() > 0
    for user, items in enumerate(found.ranking.items):
        assert not seen[user, items[items != NO_ITEM]].any()


def test_there_are_users_and_items_in_test_only(
    splits: dict[str, tuple[EvaluationProtocol, Dataset]],
) -> None:
    for split in ("random", "global_time"):
        data = splits[split][1]
        assert set(data.test.items) - set(data.train.items), split
        if split == "global_time":
            assert set(data.test.users) - set(data.train.users)
