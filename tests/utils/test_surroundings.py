"""What a run records of what it ran in, and what is found to have changed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import RecArenaError
from core.paths import ROOT
from utils import surroundings, surroundings_changes
from utils.surroundings_changes import Change, changes

RUN = {"params": {"factors": 5}, "seed": 3, "protocol": {"protocol.k": 10}, "fingerprint": "1+1-a"}


@pytest.fixture
def written(tmp_path: Path) -> dict[str, dict[str, object]]:
    """The file that a run leaves, read again."""
    surroundings.write_surroundings(tmp_path, "SVD", RUN)
    return surroundings_changes.read(tmp_path / surroundings.FILE)


def test_everything_is_in_the_file(written: dict[str, dict[str, object]], tmp_path: Path) -> None:
    assert written["run"] == {"pipeline": "SVD", **RUN}
    assert written["packages"]["numpy"] == np.__version__
    assert f"numpy=={written['packages']['numpy']}" in (tmp_path / "environment.txt").read_text()
    assert written["python"]["version"] == sys.version.split()[0]
    assert written["cpu"]["model"]
    assert written["cpu"]["usable"] >= 1
    lock = subprocess.run(["sha256sum", ROOT / "poetry.lock"], capture_output=True, check=True)
    assert written["lock"]["sha256"] == lock.stdout.decode().split()[0].removeprefix("\\")
    assert any(name.startswith("libscipy_openblas") for name in written["threads"])
    assert "OMP_NUM_THREADS" in written["threads"]


def test_it_tells_no_path_and_no_host(written: dict[str, dict[str, object]]) -> None:
    text = json.dumps(written)
    assert str(ROOT) not in text
    assert str(Path.home()) not in text.replace('"/"', "")


def test_the_kind_of_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings.Path, "exists", lambda _: False)
    monkeypatch.setattr(sys, "prefix", "/somewhere/.venv")
    assert surroundings.kind() == "virtual environment"
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert surroundings.kind() == "system"
    monkeypatch.setattr(surroundings.Path, "exists", lambda file: file.name == ".dockerenv")
    assert surroundings.kind() == "container"


def test_tags_are_few_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECARENA_IMAGE", "sha256:abc")
    found = surroundings.tags("SVD")
    assert {"code", "lock", "python", "cpu", "image"} <= found.keys()
    assert found["image"] == "sha256:abc"
    assert all(found.values())
    assert len(found["code"]) == len(found["lock"]) == surroundings.SHOWN


def test_an_image_is_told_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, commit, dirty in (("abc-dirty", "abc", True), ("abc", "abc", False)):
        monkeypatch.setenv("RECARENA_COMMIT", told)
        surroundings.commit.cache_clear()
        assert surroundings.commit() == {"commit": commit, "dirty": dirty}
    surroundings.commit.cache_clear()


def test_the_code_of_another_recommender_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "ROOT", tmp_path)
    checksum = surroundings.code_sha256.__wrapped__
    for name in ("core/a.py", "sql/a.sql", "pipelines/SVD/model.py", "pipelines/BPR/model.py"):
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text("1")
    before = checksum("SVD")
    (tmp_path / "src/pipelines/BPR/model.py").write_text("2")
    (tmp_path / "src/pipelines/SVD/notes.txt").write_text("2")
    assert checksum("SVD") == before
    for name in ("sql/a.sql", "pipelines/SVD/model.py"):
        last = checksum("SVD")
        (tmp_path / "src" / name).write_text("2")
        assert checksum("SVD") != last


def test_who_started_a_run_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECARENA_RERUN_OF", raising=False)
    assert "rerun_of" not in surroundings.lineage()
    monkeypatch.setenv("RECARENA_RERUN_OF", "abc")
    assert surroundings.lineage()["rerun_of"] == "abc"


def test_changes_are_named_by_their_path() -> None:
    before = {"packages": {"a": "1", "b": "1"}, "cpu": {"usable": 2}, "lock": {"sha256": None}}
    after = {"packages": {"a": "2", "c": "1"}, "cpu": {"usable": 2}, "lock": {"sha256": "x"}}
    assert changes(before, after) == [
        Change("packages.a", "1", "2"),
        Change("packages.b", "1", None),
        Change("lock.sha256", None, "x"),
        Change("packages.c", None, "1"),
    ]


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_another_file_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / surroundings.FILE
    file.write_text(text)
    with pytest.raises(RecArenaError, match=r"^surroundings\.json cannot be read: [^\n]+$"):
        surroundings_changes.read(file)
