"""The files that a run leaves, so that anyone can recompute its numbers."""

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from core.dataset import Dataset, IdMap
from core.errors import RecArenaError, first_line
from core.recommender import Recommender
from utils.evaluation import Evaluation

ROWS_SHOWN = 1000  # of a table, in MLflow's UI
IDS_FILE = "models/ids.npz"


def write_model(folder: Path, name: str, model: Recommender) -> str:
    """Pickle the fitted model to `models/<name>.pkl` and return the file's sha256."""
    file = folder / "models" / f"{name}.pkl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        pickle.dump(model, out, protocol=5)
    with file.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def write_ids(folder: Path, dataset: Dataset) -> None:
    """Write the database ids of the model's users and items, in the order of its indices.

    So a model can be asked without the data set that it learned from, whose ids and split may be
    others by then.
    """
    file = folder / IDS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, users=dataset.user_ids.ids, items=dataset.item_ids.ids)


def read_ids(file: Path) -> tuple[IdMap, IdMap]:
    """The id maps of users and of items that `write_ids` wrote.

    Raises RecArenaError if the file is none of these.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return IdMap(arrays["users"]), IdMap(arrays["items"])
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecArenaError(f"{file.name} cannot be read: {first_line(error)}") from None


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
