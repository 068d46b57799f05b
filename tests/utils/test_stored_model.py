"""Nothing of a file is run before it is known to be the one that the run left."""

import hashlib
import os
import pickle
from pathlib import Path

import pytest

from core.errors import RecArenaError
from pipelines.random.model import Random, RandomParams
from utils.model_files import unpickle


class Harm:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_model_comes_back(tmp_path: Path) -> None:
    content = pickle.dumps(Random(RandomParams(seed=3)))
    (tmp_path / "random.pkl").write_bytes(content)
    model = unpickle(tmp_path / "random.pkl", sha256(content))
    assert isinstance(model, Random)
    assert model.params.seed == 3


def test_a_tampered_file_is_refused_and_not_unpickled(tmp_path: Path) -> None:
    harmed = tmp_path / "harmed"
    good, evil = pickle.dumps(Random(RandomParams())), pickle.dumps(Harm(harmed))
    file = tmp_path / "random.pkl"
    file.write_bytes(evil)
    with pytest.raises(RecArenaError, match=r"^random\.pkl is not the file that the run left"):
        unpickle(file, sha256(good))
    assert not harmed.exists()
    with pytest.raises(RecArenaError, match="no recommender"):
        unpickle(file, sha256(evil))
    assert harmed.exists(), "the file would have done harm"


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Random(RandomParams()))[:-9],
        pickle.dumps(Random(RandomParams())).replace(b"pipelines.random", b"pipelines.nowher"),
        pickle.dumps(Random(RandomParams())).replace(b"RandomParams", b"RemovedClass"),
        pickle.dumps({"no": "model"}),
        b"",
    ],
    ids=["cut off", "no such module", "no such class", "a dict", "empty"],
)
def test_a_file_without_a_model_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "random.pkl"
    file.write_bytes(content)
    with pytest.raises(RecArenaError, match=r"^random\.pkl [^\n]+$"):
        unpickle(file, sha256(content))
