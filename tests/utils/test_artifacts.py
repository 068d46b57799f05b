"""The ids that a run leaves beside its model."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import RecArenaError
from tiny_datasets import noisy
from utils.artifacts import IDS_FILE, read_ids, write_ids


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
