"""Asking finished runs, on a real MLflow, FTP server and PostgreSQL."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import cli
from conftest import as_environment
from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from data_set_files import write
from database_queries import execute, rows
from datareader.reader import choose_dataset, read_dataset
from pipelines.popularity.model import PopularityParams
from pipelines.popularity.pipeline_popularity import pipeline as popularity_pipeline
from pipelines.random.model import Random, RandomParams
from pipelines.random.pipeline_random import pipeline as random_pipeline
from pipelines.SVD.model import SVDParams, svd
from pipelines.SVD.pipeline_svd import pipeline as svd_pipeline
from table_models import loader, synthetic
from table_models.datasets import find
from utils.asking import ask
from utils.finished_runs import find_run
from utils.ports import free_port
from utils.runner import Pipeline
from utils.tracking import prepare_client

N_MOVIES = 150
TITLE = "[bold]Käse[/bold] \x1b[31m, the (2001)"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic data set; user 900 rated all movies but two, user 901 tagged only."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=200, movies=N_MOVIES, ratings=8000, seed=1)
    movies = [line.split("::")[0] for line in (folder / "movies.dat").read_text().splitlines()]
    with (folder / "ratings.dat").open("a") as out:
        out.writelines(f"900::{movie}::2::{place}\n" for place, movie in enumerate(movies[2:]))
    with (folder / "tags.dat").open("a") as out:
        out.write(f"901::{movies[0]}::a tag::5\n")
    return folder


@pytest.fixture(scope="module")
def settings(own_services: Settings, files: Path) -> Settings:
    """The services, with the data set in them and a finished run of SVD."""
    loader.load(own_services, find("synthetic"), files)
    svd_pipeline.start(SVDParams(factors=7), own_services)
    return own_services


def rated(settings: Settings, user: int) -> set[int]:
    found = rows(settings, "select movie_id from synthetic.ratings where user_id = %s", user)
    return {movie for (movie,) in found}


def test_the_model_recommends_what_it_would_without_what_the_user_rated(
    settings: Settings,
) -> None:
    answer = ask(settings, "SVD", 17, 12)
    source = choose_dataset(settings)
    data = read_dataset(settings, source, EvaluationProtocol.of(settings, source.name))
    model = svd(SVDParams(factors=7)).fit(data)
    place = data.user_ids.index([17])
    everything = data.train.matrix + data.test.matrix
    items, scores = model.rank(place, 12, exclude=everything)
    found = [movie.movie_id for movie, _ in answer.movies]
    assert found == data.item_ids.ids[items[0]].tolist()
    assert [score for _, score in answer.movies] == pytest.approx(scores[0].tolist(), rel=1e-5)
    titles = [data.titles[item] for item in items[0]]
    assert [movie.title for movie, _ in answer.movies] == titles
    assert not set(found) & rated(settings, 17)
    assert answer.left_out == len(rated(settings, 17))
    assert (answer.of_the_model, answer.notes) == (True, [])
    assert answer.run == find_run(settings, "SVD")[0]


def test_a_short_list_is_said(settings: Settings) -> None:
    answer = ask(settings, "SVD", 900, 10)
    assert (len(answer.movies), answer.left_out) == (2, N_MOVIES - 2)
    assert answer.notes == [
        "there are only 2 movies that user 900 has not rated and that SVD has a score for"
    ]


def test_a_run_on_another_split_answers_users_of_its_test_set_too(settings: Settings) -> None:
    later = settings.model_copy(update={"split": "global_time", "split_quantile": 0.3})
    popularity_pipeline.start(PopularityParams(), later)
    source = choose_dataset(later)
    data = read_dataset(later, source, EvaluationProtocol.of(later, source.name))
    (user, *_) = np.setdiff1d(data.test.users, data.train.users)
    answer = ask(settings, "popularity", int(data.user_ids.ids[user]), 5)
    assert len(answer.movies) == 5
    assert not {movie.movie_id for movie, _ in answer.movies} & rated(settings, answer.user)


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (4000, "synthetic has no user 4000"),
        (-1, "synthetic has no user -1"),
        (10**30, f"synthetic has no user {10**30}"),
        (901, r"run \w{8} \(SVD\) did not learn from user 901"),
    ],
)
def test_an_unknown_user_gets_what_is_popular_and_is_told_so(
    settings: Settings, user: int, reason: str
) -> None:
    answer = ask(settings, "SVD", user, 5)
    counts = rows(
        settings,
        "select movie_id, count(*) from synthetic.ratings where rating >= 4 "
        "group by 1 order by 2 desc, 1 limit 5",
    )
    assert [(movie.movie_id, score) for movie, score in answer.movies] == counts
    assert not answer.of_the_model
    (note,) = answer.notes
    assert re.match(f"{reason}: these are", note)
    assert note.endswith("the movies with most ratings of at least 4 stars, and how many")


def test_a_user_who_is_new_since_gets_popular_movies_that_they_have_not_rated(
    settings: Settings,
) -> None:
    best = ask(settings, "SVD", 4000, 3).movies
    first = best[0][0].movie_id
    execute(settings, "insert into synthetic.users values (4001)")
    execute(settings, f"insert into synthetic.ratings values (4001, {first}, 1, 1)")
    answer = ask(settings, "SVD", 4001, 2)
    assert answer.movies == best[1:]
    assert answer.left_out == 1
    assert "did not learn from user 4001" in answer.notes[0]


def test_ratings_that_are_new_since_are_left_out(settings: Settings) -> None:
    best = ask(settings, "SVD", 18, 3)
    first = best.movies[0][0].movie_id
    execute(settings, f"insert into synthetic.ratings values (18, {first}, 1, 1)")
    answer = ask(settings, "SVD", 18, 2)
    assert answer.movies == best.movies[1:]
    assert answer.left_out == best.left_out + 1


class HalfBlind(Random):
    """Cannot say anything about all items but the first three, and nothing to users but one."""

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        super().score_into(users, out)
        out[:, 3:] = np.nan
        out[users != 20] = np.nan


def test_a_model_that_cannot_say_gives_short_and_empty_lists(settings: Settings) -> None:
    blind: Pipeline[Any] = Pipeline("random", HalfBlind, RandomParams, random_pipeline.folder)
    blind.start(RandomParams(), settings)
    for user, at_most in ((21, 3), (5, 0)):  # ids are indices + 1
        answer = ask(settings, "random", user, 10)
        assert len(answer.movies) <= at_most
        assert np.isfinite([score for _, score in answer.movies]).all()
        (note,) = answer.notes
        words = "there is no movie" if not answer.movies else "there are only"
        assert note.startswith(words)


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_k_out_of_range_is_one_line_before_any_work(k: int) -> None:
    with pytest.raises(RecArenaError, match=rf"^-k {k}: a list has from 1 to 1000 movies$"):
        ask(Settings(mlflow_tracking_port=1), "SVD", 1, k)


def client(settings: Settings) -> Any:
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415

    return MlflowClient(settings.tracking_uri)


def copy_of_run(settings: Settings, **tags: str) -> str:
    """A finished run with the tags of the SVD run but for some, and no files."""
    mlflow = client(settings)
    run = mlflow.get_run(find_run(settings, "SVD")[0].id)
    kept = {n: v for n, v in (run.data.tags | tags).items() if v and not n.startswith("mlflow.")}
    copy = mlflow.create_run(run.info.experiment_id, start_time=1000, tags=kept)
    mlflow.set_terminated(copy.info.run_id)
    return str(copy.info.run_id)


def upload(settings: Settings, run: str, folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        file = folder / f"{name}.{'npz' if name == 'ids' else 'pkl'}"
        file.write_bytes(content)
        client(settings).log_artifact(run, str(file), "models")


def test_a_run_without_a_checksum_is_refused(settings: Settings) -> None:
    with pytest.raises(RecArenaError, match=r"has no tag model_sha256"):
        ask(settings, copy_of_run(settings, model_sha256=""), 1, 10)


def test_a_run_without_its_files_is_refused_at_once(settings: Settings, tmp_path: Path) -> None:
    run = copy_of_run(settings)
    with pytest.raises(RecArenaError, match=r"left no models/SVD\.pkl.*; run SVD again"):
        ask(settings, run, 1, 10)
    upload(settings, run, tmp_path, SVD=b"a model")
    with pytest.raises(RecArenaError, match=r"left no models/ids\.npz.*; run SVD again"):
        ask(settings, run, 1, 10)


def test_a_model_that_was_changed_on_the_server_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    run = copy_of_run(settings)
    upload(settings, run, tmp_path, SVD=b"another model", ids=b"whatever")
    with pytest.raises(RecArenaError, match=rf"^run {run[:8]} \(SVD\): SVD\.pkl is not the file"):
        ask(settings, run, 1, 10)


def test_an_artifact_store_that_does_not_answer_is_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RecArenaError("/artifacts: HTTP 500: Internal Server Error")

    monkeypatch.setattr("utils.stored_model.ask_artifacts", fail)
    with pytest.raises(RecArenaError, match=r"the FTP server may be down; see `recarena status`$"):
        ask(settings, "SVD", 1, 10)


def test_no_database_is_one_line(settings: Settings) -> None:
    nobody = settings.model_copy(update={"db_port": free_port("127.0.0.1")})
    with pytest.raises(RecArenaError, match=r"^database .* does not answer"):
        ask(nobody, find_run(settings, "SVD")[0].id, 1, 10)


class Said(NamedTuple):
    status: object
    stdout: str
    stderr: str


@pytest.fixture
def recommend(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Runs `recarena recommend` on the services."""
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)

    def call(*args: str) -> Said:
        monkeypatch.setattr("sys.argv", ["recarena", "recommend", *args])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Said(ended.value.code, *capsys.readouterr())

    return call


def test_the_command_prints_what_people_and_programs_read(
    settings: Settings, recommend: Callable[..., Said]
) -> None:
    run = find_run(settings, "SVD")[0]
    first = ask(settings, "SVD", 17, 4).movies[0][0].movie_id
    with_title = "update synthetic.movies set title = $${}$$, year = 2001 where movie_id = {}"
    execute(settings, with_title.format(TITLE, first))
    shown = recommend("--run", run.id[:8], "--user", "17", "-k", "4")
    assert (shown.status, shown.stderr) == (0, "")
    head, user, titles, *listed = shown.stdout.splitlines()
    assert head == f"{run}, begun {run.started:%Y-%m-%d %H:%M} UTC, on synthetic"
    assert user == f"user 17: {len(rated(settings, 17))} ratings left out"
    assert titles.split() == ["title", "year", "genres", "score"]
    assert len(listed) == 4
    assert "\x1b" not in shown.stdout
    assert "[bold]Käse[/bold] \N{REPLACEMENT CHARACTER}[31m, the 2001" in " ".join(
        listed[0].split()
    )

    as_json = json.loads(recommend("--run=SVD", "--user=17", "--format=json").stdout)
    assert len(as_json["movies"]) == 10
    assert as_json["movies"][0]["title"] == TITLE
    assert as_json["run_id"] == run.id

    as_csv = recommend("--run=svd", "--user=4000", "-k", "3", "--format=csv")
    assert "synthetic has no user 4000" in as_csv.stderr
    found = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [row["rank"] for row in found] == ["1", "2", "3"]
    assert found[0].keys() == {"rank", "movie_id", "title", "year", "genres", "score"}


def test_the_run_knows_its_own_ids_when_the_data_set_has_others(
    settings: Settings, tmp_path: Path, recommend: Callable[..., Said]
) -> None:
    """Last in this file, because it replaces the data set, and in the end removes it."""
    first, *others = [movie.movie_id for movie, _ in ask(settings, "SVD", 17, 4).movies]
    seen = rated(settings, 17)
    movies = [(movie, f"{movie} again", "Drama") for movie in [9999, *seen, *others]]
    tmp_path.joinpath("SYNTHETIC.txt").touch()
    write(tmp_path / "movies.dat", movies, "::")
    write(tmp_path / "ratings.dat", [(17, movie, "4", 1) for movie in seen], "::")
    write(tmp_path / "tags.dat", [(9, 9999, "a tag", 1)], "::")
    loader.load(settings, find("synthetic"), tmp_path, replace=True)
    after = ask(settings, "SVD", 17, 4)
    assert [movie.movie_id for movie, _ in after.movies] == [first, *others]
    assert [movie.title for movie, _ in after.movies] == [None, *[f"{one} again" for one in others]]
    text = recommend("--run=SVD", "--user=17").stdout
    assert f"(not in the database any more) {first}" in text

    run = find_run(settings, "SVD")[0]
    execute(settings, "drop schema synthetic cascade")
    gone = recommend("--run", run.id, "--user", "17")
    assert gone.status == 1
    assert gone.stderr.strip() == (
        f"error: {run} is on synthetic, which is not loaded; run `recarena load synthetic` first"
    )
    assert gone.stdout == ""
