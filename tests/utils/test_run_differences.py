"""What is found between the files and metrics of two runs."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from core.errors import RecArenaError
from utils.run_differences import (
    LISTS,
    PREDICTIONS,
    ListDifference,
    ValueDifference,
    compare_metrics,
    differences,
)

USERS, RANKS = [7, 7, 9, 9], [1, 2, 1, 2]
MOVIES, SCORES = [50, 51, 52, 53], [0.5, 0.25, 2.0, 1.0]


def write(folder: Path, movies: list[int], scores: list[float], stars: list[float]) -> Path:
    """The files of a run: lists of as many places as there are movies."""
    (folder / "evaluation").mkdir(parents=True)
    n = len(movies)
    lists = {
        "user_id": USERS[:n],
        "rank": np.array(RANKS[:n], np.int32),
        "movie_id": movies,
        "score": np.array(scores[:n], np.float32),
    }
    parquet.write_table(pa.table(lists), folder / LISTS)
    if stars:
        rows = {"user_id": [7] * len(stars), "movie_id": list(range(len(stars)))}
        predicted = rows | {"prediction": np.array(stars, np.float32)}
        parquet.write_table(pa.table(predicted), folder / PREDICTIONS)
    return folder


def test_nothing_differs_but_time_and_memory(tmp_path: Path) -> None:
    before = write(tmp_path / "a", MOVIES, SCORES, [4.0, 3.5])
    after = write(tmp_path / "b", MOVIES, SCORES, [4.0, 3.5])
    timed = {"fit_seconds": 1.0, "peak_memory_mib": 5.0, "system/cpu": 3.0}
    other = {name: value + 1 for name, value in timed.items()}
    same = {"rmse": 0.9, "learning/loss": 0.1, "novelty_at_k": float("nan")}
    assert differences(before, after, (timed | same, other | same)).identical


def test_a_metric_that_differs_in_the_last_bit_or_is_gone() -> None:
    before = {"recall_at_k": 0.1, "rmse": 0.9, "learning/loss": 2.0}
    after = {"recall_at_k": np.nextafter(0.1, 1), "learning/loss": 2.0}
    assert compare_metrics(before, after) == {
        "recall_at_k": (0.1, np.nextafter(0.1, 1)),
        "rmse": (0.9, None),
    }


def test_the_first_place_that_differs_is_named(tmp_path: Path) -> None:
    before = write(tmp_path / "a", MOVIES, SCORES, [])
    after = write(tmp_path / "b", [50, 51, 52, 99], SCORES, [])
    found = differences(before, after, ({}, {}))
    assert found.lists == ListDifference(1, 2, user_id=9, rank=2, movies=(53, 99))
    assert found.scores is None
    assert not found.identical


def test_a_shorter_list_differs(tmp_path: Path) -> None:
    before = write(tmp_path / "a", MOVIES, SCORES, [])
    after = write(tmp_path / "b", MOVIES[:2], SCORES, [])
    found = differences(before, after, ({}, {}))
    assert found.lists == ListDifference(1, 2, user_id=9, rank=1, movies=(52, None))


def test_scores_and_predictions_that_differ(tmp_path: Path) -> None:
    before = write(tmp_path / "a", MOVIES, SCORES, [4.0, 3.5])
    after = write(tmp_path / "b", MOVIES, [0.5, 0.25, 2.5, 1.0], [4.0, 3.0])
    found = differences(before, after, ({}, {}))
    assert found.lists is None
    assert found.scores == ValueDifference(1, 4, 0.5)
    assert found.predictions == ValueDifference(1, 2, 0.5)
    assert not found.identical


def test_predictions_of_one_run_only_differ_in_all(tmp_path: Path) -> None:
    before = write(tmp_path / "a", MOVIES, SCORES, [4.0, 3.5])
    after = write(tmp_path / "b", MOVIES, SCORES, [])
    found = differences(before, after, ({}, {})).predictions
    assert found is not None
    assert (found.values, found.of) == (2, 2)


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    before = write(tmp_path / "a", MOVIES, SCORES, [])
    after = write(tmp_path / "b", MOVIES, SCORES, [])
    (after / LISTS).write_bytes(b"PAR1 nothing")
    with pytest.raises(RecArenaError, match=r"^recommendations\.parquet cannot be read: [^\n]+$"):
        differences(before, after, ({}, {}))
