"""The leaderboard of a real MLflow, with runs that can be compared and others."""

import csv
import html.parser
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from rich.console import Console

import cli
from conftest import as_environment
from core.errors import RecArenaError
from core.paths import ROOT
from core.protocol import EvaluationProtocol
from core.settings import Settings
from utils import cache as caching
from utils import leaderboard, run_statistics
from utils.leaderboard import Board, board, entries, why_apart
from utils.leaderboard_output import as_csv, as_json, remarks
from utils.leaderboard_pages import as_html, as_markdown, for_terminal
from utils.leaderboard_query import Query, condition, metric, query
from utils.ports import free_port
from utils.tracking import prepare_client

USERS = 300
FINGERPRINT = "1000-300-0123456789ab"
HOSTILE = "<script>alert('1')</script>\x1b[31m[red]|`*_\u202e&\n\\"


def hits(seed: int, rate: float) -> np.ndarray:
    return np.random.default_rng(seed).binomial(5, rate, USERS) / 5


class Runs:
    """Makes runs in MLflow, a second apart, in an experiment of a test's own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        prepare_client(settings)
        from mlflow import MlflowClient  # noqa: PLC0415

        self.client = MlflowClient(settings.tracking_uri)
        self.experiment = self.client.create_experiment(settings.experiment_name)
        self.settings = settings
        self.folder = folder
        self.seconds = 0

    def make(
        self,
        pipeline: str | None,
        values: np.ndarray | None = None,
        *,
        dataset: str = "ml-1m",
        fingerprint: str = FINGERPRINT,
        status: str = "FINISHED",
        without: str = "",
        protocol: dict[str, object] | None = None,
        metrics: dict[str, float] | None = None,
        tags: dict[str, str] | None = None,
        **params: object,
    ) -> str:
        """A run with these values of each user, of which its metrics are the means."""
        self.seconds += 1
        said = {"dataset": dataset, "fingerprint": fingerprint, "dataset_schema": "ml_1m"}
        said |= {"pipeline": pipeline} if pipeline else {}
        run = self.client.create_run(self.experiment, self.seconds * 1000, said | (tags or {}))
        run_id = str(run.info.run_id)
        for name, value in (
            params | EvaluationProtocol(dataset).params() | (protocol or {})
        ).items():
            if name != without:
                self.client.log_param(run_id, name, value)
        logged = {"fit_seconds": 2.0, "peak_memory_mib": 100.0, "n_users_evaluated": USERS}
        if values is not None:
            logged |= {"ndcg_at_k": float(values.mean()), "recall_at_k": float(values.mean())}
            file = self.folder / run_id / "evaluation/per_user.parquet"
            file.parent.mkdir(parents=True)
            columns = {"user_id": np.arange(USERS), "ndcg_at_k": values, "recall_at_k": values}
            parquet.write_table(pa.table(columns), file)
            self.client.log_artifacts(run_id, str(self.folder / run_id))
        for name, value in (logged | (metrics or {})).items():
            self.client.log_metric(run_id, name, value)
        if status != "RUNNING":
            self.client.set_terminated(run_id, status)
        return run_id


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(caching, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def runs(services: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Runs:
    name = f"{request.node.name} {tmp_path}"
    return Runs(services.model_copy(update={"experiment_name": name}), tmp_path / "runs")


def shown(found: Board, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(for_terminal(found, console))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def names(found: Board) -> list[str]:
    return [row.run.pipeline for row in found.rows]


def test_only_comparable_runs_are_ranked(runs: Runs) -> None:
    better, worse = hits(1, 0.4), hits(2, 0.1)
    old = runs.make("SVD", worse * 0.5, factors=20)
    runs.make("SVD", worse, factors=20)  # the same again: the newest counts
    elsewhere = runs.make("MF", better, dataset="ml-10m")
    longer = runs.make("BPR", better, protocol={"protocol.k": 20})
    stricter = runs.make("BPR", better, protocol={"protocol.relevance_threshold": 5.0})
    reloaded = runs.make("IMF", better, fingerprint="1001-300-ba9876543210")
    runs.make("NMF", better, status="FAILED")
    runs.make("UMCF", status="RUNNING")
    runs.make(None)  # what holds the runs of `run all` together
    first = runs.make("popularity", better)
    found = board(runs.settings, Query())
    assert found.rows[0].run.run_id == first
    assert names(found) == ["popularity", "SVD"]
    assert found.rows[1].metrics["ndcg_at_k"] == pytest.approx(worse.mean())
    reasons = {run.run_id: why for run, why in found.apart}
    assert old not in reasons
    assert reasons == {
        elsewhere: "data set ml-10m, not ml-1m",
        longer: "k 20, not 10",
        stricter: "relevance_threshold 5.0, not 4.0",
        reloaded: f"other ratings: split 1001-300-ba9876543210, not {FINGERPRINT}",
    }
    assert [row.placing.place for row in found.rows if row.placing] == [1, 2]
    said = shown(found)
    assert "1 run (BPR), newest 1970-01-01 00:00 UTC: k 20, not 10" in said
    only = board(runs.settings, query("ndcg", 0, None, ["k=20"]))
    assert [row.run.run_id for row in only.rows] == [longer]
    assert only.apart == []


def test_a_run_older_than_a_field_of_the_protocol_has_its_default(runs: Runs) -> None:
    older = runs.make("SVD", hits(1, 0.3), without="protocol.split")
    newer = runs.make("MF", hits(2, 0.2))
    other = runs.make("MF", hits(2, 0.2), protocol={"protocol.split": "random"}, factors=3)
    newest = runs.make("BPR", hits(2, 0.1))
    found = board(runs.settings, Query())
    assert [row.run.run_id for row in found.rows] == [older, newer, newest]
    assert [(run.run_id, why) for run, why in found.apart] == [(other, "split random, not last_n")]


def test_ties_are_marked_and_explained(runs: Runs) -> None:
    best = hits(1, 0.4)
    almost = best.copy()
    almost[:4] = best[:4][::-1]
    almost[4] += 0.2 if almost[4] < 1 else -0.2
    for name, values in (("SVD", best), ("MF", almost), ("random", hits(3, 0.02))):
        runs.make(name, values)
    found = board(runs.settings, Query())
    assert [row.placing.place for row in found.rows if row.placing] == [1, 1, 3]
    last = found.rows[2].placing
    assert last is not None
    assert last.p is not None
    assert last.p < 0.05
    assert last.difference == pytest.approx(
        hits(3, 0.02).mean() - found.rows[0].metrics["ndcg_at_k"]
    )
    assert last.low < last.mean < last.high
    lines = shown(found).splitlines()
    assert sum(line.strip().startswith("1=") for line in lines) == 2
    assert sum(line.strip().startswith("3 ") for line in lines) == 1
    assert any(line.startswith("=: the users cannot tell") for line in lines)
    rows = [line for line in as_markdown(found).splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| 1=", "| 1=", "| 3"]


def test_seeds_are_summed_up_as_mean_and_spread(runs: Runs) -> None:
    several = [hits(seed, 0.3) for seed in range(3)]
    ids = [runs.make("BPR", one, factors=9, seed=seed) for seed, one in enumerate(several)]
    runs.make("random", hits(9, 0.01), seed=0)
    found = board(runs.settings, Query())
    assert names(found) == ["BPR", "random"]
    together = found.rows[0]
    means = [one.mean() for one in several]
    assert [run.run_id for run in together.runs] == ids[::-1]
    assert together.metrics["ndcg_at_k"] == pytest.approx(np.mean(means))
    assert together.spread["ndcg_at_k"] == pytest.approx(np.std(means, ddof=1))
    assert together.placing is not None
    assert together.placing.mean == pytest.approx(np.mean(means))
    assert f"3 seeds, sd {np.std(means, ddof=1):.4f}" in shown(found)
    record = json.loads(as_json(found))[0]
    assert record["seeds"] == ids[::-1]
    assert record["run_id"] == ids[-1]


def test_statistics_are_computed_once(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, name in enumerate(("SVD", "MF")):
        runs.make(name, hits(seed, 0.2))
    first = board(runs.settings, Query())

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(run_statistics, "_computed", never)
    assert board(runs.settings, Query()).rows == first.rows
    assert all(row.placing for row in first.rows)
    with pytest.raises(AssertionError):
        board(runs.settings, Query("recall_at_k"))


def test_without_the_files_there_is_a_table_that_says_so(runs: Runs) -> None:
    runs.make("SVD", hits(1, 0.2))
    runs.make("MF", metrics={"ndcg_at_k": 0.1})
    found = board(runs.settings, Query())
    assert names(found) == ["SVD", "MF"]
    assert [row.placing for row in found.rows] == [None, None]
    (note,) = found.notes
    assert note.startswith("no intervals and no ties: evaluation/per_user.parquet of run ")
    assert "no intervals" in shown(found)


def test_a_metric_that_is_not_one_of_each_user(runs: Runs) -> None:
    runs.make("MF", hits(1, 0.1), metrics={"rmse": 0.9, "coverage_at_k": 0.5})
    runs.make("SVD", hits(1, 0.2), metrics={"rmse": 0.8})
    runs.make("BPR", hits(1, 0.3), metrics={"coverage_at_k": 0.7})
    by_rmse = board(runs.settings, query("RMSE", 0, None, []))
    assert names(by_rmse) == ["SVD", "MF", "BPR"]
    assert any("Places and intervals are for" in one for one in remarks(by_rmse))
    assert names(board(runs.settings, query("coverage", 0, None, []))) == ["BPR", "MF", "SVD"]
    top = board(runs.settings, query("recall@10", 2, None, []))
    assert (names(top), top.more) == (["BPR", "SVD"], 1)
    line = next(one for one in shown(by_rmse).splitlines() if "BPR" in one)
    assert line.split()[:4] == ["-", "BPR", "-", "-"]


def test_filters(runs: Runs) -> None:
    runs.make("MF", hits(1, 0.1), factors=5, tags={"git_commit": "abc"})
    runs.make("MF", hits(1, 0.2), factors=9, metrics={"fit_seconds": 70.0})
    runs.make("SVD", hits(1, 0.3), factors=5)

    def left(*filters: str) -> list[tuple[str, str]]:
        rows = board(runs.settings, query("ndcg", 0, None, filters)).rows
        return [(row.run.pipeline, row.run.params["factors"]) for row in rows]

    assert left("recommender=MF") == [("MF", "9"), ("MF", "5")]
    assert left("factors=5", "pipeline!=MF") == [("SVD", "5")]
    assert left("fit<60") == [("SVD", "5"), ("MF", "5")]
    assert left("ndcg>=0.25") == [("SVD", "5")]
    assert left("git_commit=abc") == [("MF", "5")]
    assert left("no_such=1") == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("top_k=5", "params.`protocol.k` = '5'"),
        ("N_TEST = 1", "params.`protocol.n_test` = '1'"),
        ("recall > 0.1", "metrics.`recall_at_k` > 0.10000000000000001"),
        ("memory<=512", "metrics.`peak_memory_mib` <= 512"),
        ("fill-with-zero!=True", "params.`fill_with_zero` != 'True'"),
    ],
)
def test_conditions_as_the_tracker_is_asked(given: str, expected: str) -> None:
    assert condition(given) == expected


@pytest.mark.parametrize(
    "given",
    ["", "=", "k", "a'b=1", "x=a'b", "x=\\", "fit<abc", "fit<nan", "y>3", "`=1", "a b`=1"],
)
def test_conditions_that_are_none(given: str) -> None:
    with pytest.raises(RecArenaError):
        condition(given)


def test_metrics_by_their_short_names() -> None:
    assert metric("Recall") == metric("recall@10") == metric("recall_at_k") == "recall_at_k"
    assert metric("fit") == "fit_seconds"
    with pytest.raises(RecArenaError, match="no metric 'nothing': there are recall, "):
        metric("nothing")
    with pytest.raises(RecArenaError, match="--top -1"):
        query("recall", -1, None, [])


def test_of_very_many_runs_the_best_and_some_of_each(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaderboard, "LOOKED_AT", 4)
    monkeypatch.setattr(leaderboard, "OF_EACH", 2)
    for seed in range(6):
        runs.make("SVD", hits(seed, 0.5), seed=seed)
    for seed in range(3):
        runs.make("MF", hits(seed, 0.2), seed=seed)
    runs.make("random", hits(1, 0.1))
    found = board(runs.settings, Query())
    assert names(found) == ["SVD"] * 4 + ["MF"] * 2 + ["random"]
    values = [row.metrics["ndcg_at_k"] for row in found.rows]
    assert values == sorted(values, reverse=True)
    assert found.notes[0].startswith("more than 4 comparable runs: the best 4 by ndcg_at_k and")
    assert board(runs.settings, query("ndcg", 0, None, ["recommender=MF"])).notes == []
    assert len(entries(runs.settings)) == 10


def test_pages_of_the_tracker_are_all_read(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        runs.make("SVD", seed=seed)
    search = leaderboard.search
    monkeypatch.setattr(
        leaderboard, "search", lambda *args, **given: search(*args, **given, at_most=2)
    )
    assert len(entries(runs.settings)) == 5


class Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_text_of_the_tracker_is_only_text(runs: Runs) -> None:
    runs.make("MF", hits(2, 0.2), dataset="it's <b>another</b>\x1b[0m")
    runs.make(HOSTILE, hits(1, 0.3), dataset=HOSTILE, weight=HOSTILE)
    runs.make(HOSTILE, hits(1, 0.3), dataset=HOSTILE, weight="<i>", tags={"leakage": HOSTILE})
    found = board(runs.settings, Query())
    assert len(found.rows) == 2
    page = Page()
    page.feed(as_html(found))
    assert {"script", "b", "i", "img"}.isdisjoint(page.tags)
    assert any("<script>alert('1')</script>" in text for text in page.text)
    assert "<script" not in as_markdown(found)
    assert "<b>" not in as_markdown(found)
    rows = [line for line in as_markdown(found).splitlines() if line.startswith("| ")]
    assert len(rows) == 4
    console = shown(found)
    for text in (console, as_html(found), as_markdown(found)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "[red]" in console
    assert json.loads(as_json(found))[0]["dataset"] == HOSTILE
    read = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert read[0]["pipeline"] == HOSTILE


def test_for_programs(runs: Runs) -> None:
    runs.make("MF", hits(2, 0.2), dataset="ml-10m")
    runs.make("SVD", hits(1, 0.3), factors=7, metrics={"rmse": 0.9})
    runs.make("BPR", hits(1, 0.1))
    found = board(runs.settings, Query())
    listed = json.loads(as_json(found))
    assert [one["pipeline"] for one in listed] == ["SVD", "BPR", "MF"]
    old = "pipeline run_id dataset fingerprint metrics seconds params protocol started".split()
    assert set(old) <= listed[0].keys()
    assert listed[0]["params"] == {"factors": "7"}
    assert listed[0]["seconds"] == {"fit": 2.0}
    assert listed[0]["placing"]["place"] == 1
    assert listed[1]["placing"]["p"] < 0.05
    assert [one["apart"] for one in listed] == [None, None, "data set ml-10m, not ml-1m"]
    read = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [one["rmse"] for one in read] == ["0.9", "", ""]
    assert [one["place"] for one in read] == ["1", "2", ""]
    assert {"fit_seconds", "low", "high", "p"} <= read[0].keys()


def test_the_leakage_line(runs: Runs) -> None:
    shares = {"share_train_after_median_test": 0.4, "share_test_items_unseen": 0.01}
    runs.make("SVD", hits(1, 0.3), metrics=shares)
    found = board(runs.settings, Query())
    (line,) = (one for one in remarks(found) if one.startswith("Leakage: "))
    assert "40.0% of the train ratings are newer than the median test rating" in line
    assert "1.0% of items unseen in train" in line
    assert "global time is not respected" in line
    runs.make("MF", hits(1, 0.3), tags={"leakage": "The run's own words."})
    own = board(runs.settings, query("ndcg", 0, None, ["recommender=MF"]))
    assert "The run's own words." in remarks(own)


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_no_column_is_lost_in_a_narrow_terminal(runs: Runs, width: int) -> None:
    runs.make("LDA_collaboration", hits(1, 0.3), metrics={"rmse": 0.9876})
    runs.make("MF", hits(2, 0.2), factors=3, metrics={"rmse": 0.8765})
    runs.make("MF", hits(2, 0.2), factors=44)
    alone = shown(board(runs.settings, query("ndcg", 0, None, ["recommender=MF"])), width)
    assert "0.8765" in alone  # also where the names are short
    said = shown(board(runs.settings, Query()), width)
    for text in ("0.9876", "95 % of it", "MiB", "novelty@10", "fit s", "run"):
        assert text in said
    assert "…" not in said
    assert "factors=44" in said
    assert max(len(line.rstrip()) for line in said.splitlines()) <= width


def test_nothing_there_and_nobody_there(services: Settings) -> None:
    nowhere = services.model_copy(update={"experiment_name": "no such experiment"})
    assert board(nowhere, Query()).rows == []
    assert json.loads(as_json(board(nowhere, Query()))) == []
    nobody = services.model_copy(update={"mlflow_tracking_port": free_port("127.0.0.1")})
    with pytest.raises(RecArenaError, match=r"does not answer .*recarena up"):
        board(nobody, Query())


@pytest.fixture
def command(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs `recarena leaderboard` on the services; returns what it prints."""
    for name, value in as_environment(runs.settings).items():
        monkeypatch.setenv(name, value)

    def call(*args: str) -> str:
        monkeypatch.setattr("sys.argv", ["recarena", "leaderboard", *args])
        with pytest.raises(SystemExit):
            cli.main()
        said = capsys.readouterr()
        return said.out + said.err

    return call


def test_the_command(runs: Runs, command: Callable[..., str]) -> None:
    assert "no finished runs" in command()
    assert "no finished runs" in command("--format", "html")
    assert json.loads(command("--format", "json")) == []
    runs.make("SVD", hits(1, 0.3))
    runs.make("MF", hits(2, 0.1), metrics={"mrr_at_k": 0.123})
    assert "SVD" in command("--sort", "recall", "--top", "10")
    assert "0.1230" in command("--metric", "mrr")
    assert command("--format", "html").startswith("<!doctype html>")
    assert command("--format", "md").startswith("**ml-1m")
    assert command("--format", "csv").count("\n") == 3
    assert "SVD" not in command("--top", "10", "--filter", "recommender=MF")
    assert "no finished runs" in command("--dataset", "ml-10m")
    assert "no finished runs" in command("--experiment", "another")
    assert command("--filter", "nonsense").startswith("error: --filter 'nonsense': write it as")


def test_it_waits_for_no_library_that_it_does_not_need() -> None:
    code = (
        "import sys, cli\n"
        "from utils import leaderboard, leaderboard_output, leaderboard_pages, leaderboard_query\n"
        "slow = 'mlflow sqlalchemy alembic psycopg2 numpy scipy pyarrow numba sklearn'.split()\n"
        "print(*[name for name in slow if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""


def test_reasons_are_none_for_the_same(runs: Runs) -> None:
    runs.make("SVD", hits(1, 0.3))
    (one,) = entries(runs.settings)
    assert why_apart(one, one) == ""
