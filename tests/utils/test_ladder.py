"""The ladder, from a loaded data set to the gap."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import cli
import data_set_files
from conftest import as_environment
from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from table_models import loader
from table_models.database import LoadedDataSet
from table_models.datasets import DATASETS, find
from utils import ladder_output
from utils.evaluation import evaluate
from utils.ladder import Step, climb, experiment, notes
from utils.leaderboard import entries
from utils.published import RATINGS, RUNGS, rungs
from utils.runner import load_pipeline


def loaded_as(name: str, ratings: int) -> LoadedDataSet:
    return LoadedDataSet(name, name.replace("-", "_"), name, ratings, "")


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: f"{rung.dataset} {rung.method}")
def test_a_rung_is_of_a_data_set_and_a_recommender_that_predicts(rung: object) -> None:
    assert isinstance(rung, type(RUNGS[0]))
    assert rung.dataset in DATASETS
    assert rung.dataset in RATINGS
    pipeline = load_pipeline(rung.pipeline)
    params = pipeline.params(**dict(rung.params))
    assert hasattr(pipeline.recommender(params), "predict")
    left = set(pipeline.params.model_fields) - set(rung.params)
    assert left <= {"seed", "solver", "chronological", "minimum_num_rating"}


def test_mean_spread_and_gap() -> None:
    step = Step(replace(RUNGS[0], rmse=1.0), (1.0, 1.2, 0.8, 1.4))
    assert step.mean == pytest.approx(1.1)
    assert step.gap == pytest.approx(0.1)
    assert step.spread == pytest.approx(np.std([1.0, 1.2, 0.8, 1.4]))


def test_what_cannot_be_compared_is_said() -> None:
    found = [
        loaded_as("ml-100k", 100_000),
        loaded_as("ml-latest-small", 100_836),
        loaded_as("ml-1m-synthetic", 1_000_209),
        loaded_as("ml-10m", 10),
    ]
    assert notes(found) == [
        "ml-latest-small: no published result is known for it here",
        "ml-1m-synthetic: no published result is known for it here",
        "ml-10m: holds 10 ratings, the published data set 10,000,054: the gap says nothing",
    ]
    assert not rungs("ml-1m-synthetic")


def test_the_document_has_every_rung_and_ours_only_where_it_was_run() -> None:
    steps = [Step(rung, (rung.rmse + 0.01, rung.rmse + 0.02)) for rung in rungs("ml-1m")]
    text = ladder_output.as_markdown(steps, ["a note"])
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ml-")]
    assert len(rows) == len(RUNGS)
    for row in rows:
        ran = row[0] == "| ml-1m"
        assert (row[5] == "+0.0150") == ran
        assert (row[4] == "-") == (not ran)
        assert row[6] == ("2 of 5 |" if ran else "none |")
    assert "not loaded where this was written: ml-100k, ml-10m." in text
    assert "- a note" in text
    assert all(rung.publication.address in text for rung in RUNGS)


def test_the_committed_document_is_the_commands() -> None:
    text = (Path(__file__).parents[2] / "docs/ladder.md").read_text()
    assert text.startswith(ladder_output.HEAD)
    for rung in RUNGS:
        assert f"| {rung.dataset} | {rung.method} | {rung.rmse:g} | `{rung.pipeline}` |" in text


@pytest.fixture(scope="module")
def tiny(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data set of 40 users and 30 movies, in the format and under the name of ml-100k."""
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    tastes = rng.standard_normal((40, 2)) @ rng.standard_normal((2, 30))
    stars = np.clip(np.round(3 + tastes), 1, 5).astype(int)
    rated = [(u, i) for u in range(40) for i in range(30) if rng.random() < 0.6]
    flags = [1, *[0] * 18]
    movies = [(i + 1, f"Movie {i}", "01-Jan-1995", "", "http://x", *flags) for i in range(30)]
    ratings = [(u + 1, i + 1, stars[u, i], 100 + u + i) for u, i in rated]
    data_set_files.write(folder / "u.item", movies, "|", "latin-1")
    data_set_files.write(folder / "u.data", ratings, "\t")
    loader.load(own_services, find("ml-100k"), folder)
    return own_services


def test_the_command_ends_in_the_gap_of_tracked_runs(
    tiny: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in as_environment(tiny).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("N_EPOCHS", "1")  # no parameter of the ladder's
    given = ["ladder", "--dataset", "ml-100k", "--folds", "2", "--format", "json"]
    done = CliRunner().invoke(cli.app, given, catch_exceptions=False)
    assert done.exit_code == 0
    assert "the gap says nothing" in done.stderr
    found = json.loads(done.stdout)
    assert [one["pipeline"] for one in found] == ["MF", "NMF", "UMCF"]
    source = choose_dataset(tiny)
    tracked = entries(tiny.model_copy(update={"experiment_name": experiment(tiny)}))
    assert not entries(tiny), "single folds stay out of the usual leaderboard"
    for one, rung in zip(found, rungs("ml-100k"), strict=True):
        expected = []
        for fold in (1, 2):
            protocol = EvaluationProtocol("ml-100k", split="random", fold=fold)
            data = read_dataset(tiny, source, protocol)
            pipeline = load_pipeline(rung.pipeline)
            model = pipeline.recommender(pipeline.params(**dict(rung.params))).fit(data)
            expected.append(evaluate(model, data, protocol).metrics["rmse"])
        assert one["fold_rmses"] == pytest.approx(expected, abs=1e-6)
        assert one["gap"] == pytest.approx(np.mean(expected) - rung.rmse, abs=1e-6)
        runs = [run for run in tracked if run.pipeline == rung.pipeline]
        assert sorted(run.protocol["fold"] for run in runs) == ["1", "2"]
        assert {run.protocol["split"] for run in runs} == {"random"}
        assert sorted(run.metrics["rmse"] for run in runs) == sorted(one["fold_rmses"])
    table = ladder_output.as_csv([Step(rung, (1.0,)) for rung in rungs("ml-100k")])
    assert [row["pipeline"] for row in csv.DictReader(io.StringIO(table))] == ["MF", "NMF", "UMCF"]


def test_too_many_folds_are_refused_before_any_run(tiny: Settings) -> None:
    with pytest.raises(RecArenaError, match="--folds 6: ml-100k has from 1 to 5"):
        climb(tiny, choose_dataset(tiny), 6, pytest.fail)
