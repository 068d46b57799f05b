"""The files that a run leaves, so that anyone can recompute its numbers."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from core.dataset import Dataset
from utils.evaluation import Evaluation

ROWS_SHOWN = 1000  # of a table, in MLflow's UI


def write_evaluation(folder: Path, dataset: Dataset, evaluation: Evaluation) -> None:
    """Write lists, what each user and each item got, and test predictions, by database ids."""
    target = folder / "evaluation"
    target.mkdir(parents=True, exist_ok=True)
    user_ids, item_ids = dataset.user_ids.ids, dataset.item_ids.ids
    items, scores = evaluation.ranking
    users, places = np.nonzero(items >= 0)
    _write(
        target / "recommendations.parquet",
        user_id=user_ids[users],
        rank=(places + 1).astype(np.int32),
        movie_id=item_ids[items[users, places]],
        score=scores[users, places],
    )
    _write(
        target / "per_user.parquet",
        user_id=user_ids[evaluation.users],
        n_relevant=evaluation.n_relevant,
        n_train=evaluation.n_train,
        **evaluation.per_user,
    )
    _write(target / "items.parquet", movie_id=item_ids, **evaluation.per_item)
    if evaluation.predictions is not None:
        _write(
            target / "test_predictions.parquet",
            user_id=user_ids[dataset.test.users],
            movie_id=item_ids[dataset.test.items],
            rating=dataset.test.ratings,
            prediction=evaluation.predictions,
        )


def write_tables(folder: Path, tables: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write each table whole as `tables/<name>.parquet`, and its first rows as `.csv`.

    MLflow's UI shows the latter.
    """
    target = folder / "tables"
    for name, columns in tables.items():
        target.mkdir(parents=True, exist_ok=True)
        _write(target / f"{name}.parquet", **columns)
        head = pa.table({column: values[:ROWS_SHOWN] for column, values in columns.items()})
        csv.write_csv(head, target / f"{name}.csv")


def _write(file: Path, **columns: np.ndarray) -> None:
    parquet.write_table(pa.table(columns), file, compression="zstd")
