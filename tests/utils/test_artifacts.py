"""The files that a run leaves."""

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from pipelines.random.model import Random, RandomParams
from tiny_datasets import cold, noisy
from utils.artifacts import write_evaluation
from utils.evaluation import evaluate
from utils.model_files import IDS_FILE, read_ids, write_ids


def test_users_and_items_are_named_by_their_database_ids(tmp_path: Path) -> None:
    data = cold()  # user 100 has three train ratings and one relevant item, 102; 102 has 104
    model = Random(RandomParams()).fit(data)
    write_evaluation(tmp_path, data, evaluate(model, data, EvaluationProtocol("tiny", k=3)))
    users = parquet.read_table(tmp_path / "evaluation/per_user.parquet").to_pydict()
    assert users["user_id"] == [100, 102]
    assert users["n_train"] == [3, 0]
    assert users["n_relevant"] == [1, 1]
    items = parquet.read_table(tmp_path / "evaluation/items.parquet").to_pydict()
    assert items["movie_id"] == [1000, 1001, 1002, 1003, 1004, 1005]
    assert items["n_train"] == [2, 1, 1, 1, 0, 0]
    assert items["n_relevant"] == [0, 0, 1, 0, 1, 0]
    assert sum(items["n_recommended"]) == 3 + 3  # of the two judged users
    lists = parquet.read_table(tmp_path / "evaluation/recommendations.parquet").to_pydict()
    wanted = {(100, 1002), (102, 1004)}
    hit = [pair for pair in zip(lists["user_id"], lists["movie_id"], strict=True) if pair in wanted]
    assert sum(items["n_hits"]) == len(hit)


def test_ids_come_back_as_they_were(tmp_path: Path) -> None:
    data = noisy()
    write_ids(tmp_path, data)
    users, items = read_ids(tmp_path / IDS_FILE)
    assert users.ids.tolist() == data.user_ids.ids.tolist()
    assert items.ids.tolist() == data.item_ids.ids.tolist()
    assert items.ids.dtype == np.int64


def write_half(file: Path) -> None:
    np.savez(file, users=np.arange(3))


def write_words(file: Path) -> None:
    np.savez(file, users=np.array(["a", "b"]), items=np.arange(3))


def write_objects(file: Path) -> None:
    np.savez(file, users=np.array([1, None]), items=np.arange(3))


def write_unsorted(file: Path) -> None:
    np.savez(file, users=np.array([2, 1]), items=np.arange(3))


def write_a_part(file: Path) -> None:
    np.savez(file, users=np.arange(3), items=np.arange(3))
    file.write_bytes(file.read_bytes()[:-30])


def write_nothing(file: Path) -> None:
    file.touch()


@pytest.mark.parametrize(
    "write", [write_half, write_words, write_objects, write_unsorted, write_a_part, write_nothing]
)
def test_another_file_is_one_line(tmp_path: Path, write: object) -> None:
    file = tmp_path / "ids.npz"
    write(file)  # type: ignore[operator]
    with pytest.raises(RecArenaError, match=r"^ids\.npz cannot be read: [^\n]+$"):
        read_ids(file)
