"""Data sets of next to nothing: every command and every recommender answers in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

import cli
import data_set_files as files
from conftest import as_environment
from core.errors import RecArenaError
from core.paths import ROOT
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from fake_tracker import FakeTracker
from table_models.datasets import find
from table_models.loader import load
from utils.runner import Source, load_pipeline, pipeline_files


def write(folder: Path, ratings: list[tuple[int, int, str, int]]) -> Path:
    movies = sorted({movie for _, movie, _, _ in ratings})
    files.write(folder / "movies.dat", [(m, f"Movie {m} (1995)", "Drama") for m in movies], "::")
    files.write(folder / "ratings.dat", ratings, "::")
    files.write(folder / "tags.dat", [(1, movies[0], "a tag", 1)], "::")
    return folder


@pytest.fixture(scope="module")
def one_rating(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The services, with a data set of one rating in them."""
    folder = write(tmp_path_factory.mktemp("one"), [(1, 1, "5", 1)])
    load(own_services, find("ml-10m"), folder)
    return own_services


@pytest.mark.parametrize(
    ("command", "status", "answer"),
    [
        ("leaderboard", 0, "no finished runs"),
        ("recommend --run SVD --user 1", 1, "no finished run of SVD"),
        ("rerun SVD", 1, "no finished run of SVD"),
        ("compare SVD popularity", 1, "no finished run of SVD"),
        ("metrics --run SVD", 1, "no finished run of SVD"),
    ],
)
def test_commands_on_one_rating(
    one_rating: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    status: int,
    answer: str,
) -> None:
    for name, value in as_environment(one_rating).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["recarena", *command.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = "".join(capsys.readouterr()).strip()
    assert ended.value.code == status
    assert answer in said
    assert len(said.splitlines()) == 1


def test_a_run_on_one_rating(one_rating: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.SVD.pipeline_svd"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT / "src",
        env=as_environment(one_rating),
    )
    assert done.returncode == 1
    assert "lower N_TEST" in done.stderr
    assert len((done.stdout + done.stderr).strip().splitlines()) == 1


TINY = {
    "two ratings of a user": [(1, 1, "5", 1), (1, 2, "5", 2)],
    "two users": [(1, 1, "5", 1), (1, 2, "5", 2), (2, 2, "4", 1), (2, 1, "5", 2)],
    "nobody likes anything": [(1, 1, "1", 1), (1, 2, "0.5", 2), (2, 1, "1", 1), (2, 2, "1", 2)],
    "far apart": [(1, 1, "5", 0), (999_999_999, 999_999_999, "5", 0), (1, 2, "5", 99_999_999_999)],
}


@pytest.mark.parametrize("case", TINY)
def test_every_recommender_ends_or_says_why_not(
    database: Settings, tmp_path: Path, case: str
) -> None:
    load(database, find("ml-10m"), write(tmp_path, TINY[case]))
    source = choose_dataset(database)
    protocol = EvaluationProtocol(source.name, n_test=1)
    place = Source("here", source.schema, lambda: read_dataset(database, source, protocol))
    tracker = FakeTracker(tmp_path / "runs")
    for name in pipeline_files():
        pipeline = load_pipeline(name)
        said = ""
        try:
            metrics = pipeline.run(pipeline.params.load(pipeline.folder), place, protocol, tracker)
        except RecArenaError as error:
            said = str(error)
        assert said.isprintable()
        assert said or 0 <= metrics["recall_at_k"] <= 1, name
        assert bool(said) == (case == "nobody likes anything"), (name, said)
