"""Every command of the README is run, in its order, in a copy of the project."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from project_copy import BIN, ROOT, call, copy_project
from real_data import real_data

README = (ROOT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]
AGAIN = (  # what a second `make demo` does before it runs every recommender again
    'python -c "import cli; from core.settings import Settings; '
    'cli.prepare(Settings.load(), None, None)"'
)
ELSEWHERE = {"make test": "it is what runs this"}


@pytest.fixture(scope="module")
def project(reachable_folder: Callable[[], Path]) -> Iterator[Path]:
    """A copy of the project with its environment, and a data set if there is one."""
    folder = copy_project(reachable_folder() / "the project")
    data = real_data()
    if data:
        shutil.copytree(data, folder / "data/ml-latest-small")
    yield folder
    call(folder, "recarena down --remove-data")


def test_there_are_commands() -> None:
    assert "make demo" in COMMANDS
    assert len(COMMANDS) > 12


@pytest.mark.skipif(not (BIN / "recarena").exists(), reason="the project is not installed")
@pytest.mark.timeout(900)
def test_every_command_works(project: Path) -> None:
    data = real_data()
    name = "ml-latest-small" if data else "synthetic"
    for line in COMMANDS:
        if line in ELSEWHERE:
            continue
        command = line.replace("ml-latest-small", name)
        done = call(project, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr, command
        if line == "make demo":
            assert "MLflow UI: http://127.0.0.1:" in done.stdout
            assert all(one in done.stdout for one in ("SVD", "popularity", "random")), done.stdout
            assert call(project, AGAIN).stdout.count("loaded already") == 1
        if line.endswith("--format json"):
            check_leaderboard(done.stdout, real=data is not None)
    services = call(project, "recarena status")
    assert services.returncode == 1
    assert services.stdout.count("stopped") == 3


def check_leaderboard(text: str, *, real: bool) -> None:
    """The figures are those of the README, which are those of independent code."""
    runs = json.loads(text)
    assert {"pipeline", "run_id", "dataset", "fingerprint", "metrics", "seconds"} <= runs[0].keys()
    if not real:
        return

    def metrics(pipeline: str, **params: str) -> dict[str, float]:
        return next(
            one["metrics"]
            for one in runs
            if one["pipeline"] == pipeline and params.items() <= one["params"].items()
        )

    default = metrics("SVD", factors="20", fill_with_zero="False", use_bias="False")
    zero = metrics("SVD", factors="50", fill_with_zero="True")
    popularity = metrics("popularity")
    assert (default["n_train"], default["n_test"], default["n_users_evaluated"]) == (
        97786,
        3050,
        542,
    )
    close = {"abs": 0.0005}
    assert default["recall_at_k"] == pytest.approx(0.0762, **close)
    assert default["rmse"] == pytest.approx(1.0679, **close)
    assert zero["recall_at_k"] == pytest.approx(0.1007, **close)
    assert "rmse" not in zero
    for metric, value in (
        ("recall_at_k", 0.0518),
        ("precision_at_k", 0.0185),
        ("ndcg_at_k", 0.0420),
    ):
        assert popularity[metric] == pytest.approx(value, **close)


MISTAKES = {
    "recarena run NoSuchThing": "no recommender 'NoSuchThing'; there are ",
    "recarena run SVD --set factor=3": "SVD has no such parameter",
    "recarena run SVD --set factors": "write it as KEY=VALUE",
    "recarena load ml-3m": "no data set 'ml-3m'",
    "recarena load ml-1m": "data/ml-1m",
    "recarena load ml-latest-small --from /no/such/folder": "/no/such/folder",
    "recarena recommend --run SVD --user 1": "recarena up",
    "recarena recommend --run SVD --user 1 -k 0": "-k 0: a list has from 1 to 1000 movies",
    "recarena rerun SVD": "recarena up",
    "recarena metrics --run SVD --convention elliot": "no convention 'elliot'; there are recbole, ",
    "recarena metrics --run SVD": "recarena up",
    "recarena compare SVD popularity": "recarena up",
    "recarena new Popularity": "src/pipelines/popularity is there already",
    "recarena new item-mean": "'item-mean' is no name for a recommender",
    "recarena leaderboard --dataset ml-3m": "no data set 'ml-3m'",
    "recarena report --dataset ml-3m": "no data set 'ml-3m'",
    "recarena report --out no/such/folder/report.html": "there is no folder ",
    "recarena report": "recarena up",
    "recarena run SVD": "recarena up",
    "recarena ladder": "recarena up",
    "SPLIT=random FOLD=6 recarena run SVD": "FOLD=6: there are only N_FOLDS=5 folds",
    "SPLIT=by_mood recarena run SVD": "SPLIT: Input should be 'last_n', ",
    "alembic upgrade head": "recarena up",
    "alembic -x dataset=ml-3m upgrade head": "no data set 'ml-3m'",
    "python src/table_models/ml_10m/migrate_data.py": "ml-10m",
    "python -m pipelines.SVD.pipeline_svd --factors 0": "FACTORS=0",
    "recarena synth --users 5 --movies 5 --ratings 5 --out data/x": "error: ",
    "recarena fetch synthetic": "recarena synth",
    "TOP_K=0 recarena up": "TOP_K",
}


@pytest.mark.skipif(not (BIN / "recarena").exists(), reason="the project is not installed")
@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_line(project: Path, command: str) -> None:
    done = call(project, command, DB_PORT="1", MLFLOW_TRACKING_PORT="1")
    assert done.returncode not in (0, None)
    assert MISTAKES[command] in done.stderr + done.stdout
    said = (done.stderr + done.stdout).strip().splitlines()
    assert len(said) <= 2, done.stderr  # `run` says which of several failed, and that one did
    assert "Traceback" not in done.stderr
