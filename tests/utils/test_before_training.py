"""What would make a run fail at its end is found before it begins."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset
from datareader.session import reading
from table_models import loader, synthetic
from table_models.datasets import find
from utils import before_training
from utils.ports import free_port
from utils.service_answers import send_artifact


@pytest.fixture(scope="module")
def settings(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The running services with a small synthetic data set."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=200, movies=150, ratings=8000, seed=1)
    loader.load(own_services, find("synthetic"), folder)
    return own_services


def check(settings: Settings, protocol: EvaluationProtocol | None = None) -> None:
    source = choose_dataset(settings)
    before_training.check(
        settings, source, protocol or EvaluationProtocol.of(settings, "synthetic")
    )


def test_what_is_as_it_has_to_be_passes(settings: Settings, tmp_path: Path) -> None:
    outbox = tmp_path / "new" / "outbox"
    check(settings.model_copy(update={"outbox": outbox}))
    assert list(outbox.iterdir()) == []


def test_a_split_without_test_ratings(settings: Settings) -> None:
    with pytest.raises(RecArenaError, match=r"^synthetic: no user has more ratings .* N_TEST"):
        check(settings.model_copy(update={"n_test": 100_000}))
    longest = 150  # nobody rates more movies than there are
    with pytest.raises(RecArenaError, match="lower N_TEST"):
        check(settings.model_copy(update={"n_test": longest}))


def test_no_place_for_the_results(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(RecArenaError, match=r"OUTBOX=\S+/a file cannot be written"):
        check(settings.model_copy(update={"outbox": tmp_path / "a file"}))
    nobody = {"mlflow_tracking_port": free_port("127.0.0.1")}
    with pytest.raises(RecArenaError, match=r"nothing was trained, .* refused.* `recarena status`"):
        check(settings.model_copy(update=nobody))


def test_many_can_check_at_once(settings: Settings) -> None:
    with ThreadPoolExecutor(12) as pool:
        sums = list(pool.map(lambda _: send_artifact(settings, 60), range(24)))
    assert len(set(sums)) == 24


def test_a_database_that_hangs_is_given_up(settings: Settings) -> None:
    hasty = settings.model_copy(update={"db_timeout": 0.5})
    backends: list[int] = []

    def read() -> None:
        with reading(hasty, choose_dataset(settings)) as cursor:
            backends.append(cursor.connection.info.backend_pid)
            os.kill(backends[0], signal.SIGSTOP)
            cursor.execute("select 1")

    try:
        with pytest.raises(
            RecArenaError, match=r"has not answered within DB_TIMEOUT=0\.5 seconds$"
        ):
            read()
    finally:
        for backend in backends:
            os.kill(backend, signal.SIGCONT)
