"""The stand of the faults, and the table that they fill."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from conftest import HOST, make_settings
from faults import invariants
from faults.stand import Process, Stand
from faults.table import Row, write
from table_models import loader, synthetic
from table_models.datasets import find
from utils.ports import free_port

ROWS: list[Row] = []


@dataclass
class Fault:
    """One fault while it happens: what it is, what was seen, lost, and when all was well again."""

    stand: Stand
    name: str
    seen: list[str] = field(default_factory=list)
    lost: str = "nothing"
    ended: float | None = None
    seconds: float | None = None

    def saw(self, process: Process) -> int:
        """Note how a process ended, and what it said last. Returns its exit status."""
        status = process.end()
        assert "Traceback" not in process.said, process.said
        self.seen.append(f"exit {status}: {shortened(process.last, self.stand)}")
        return status

    def over(self) -> None:
        """The fault has ended; from now on it counts how long all takes to be well."""
        self.ended = time.monotonic()

    def well(self) -> None:
        """What had to be done is done."""
        if self.ended is not None:
            self.seconds = time.monotonic() - self.ended


def shortened(line: str, stand: Stand) -> str:
    """A line without what is of this machine and this moment."""
    line = line.replace(str(stand.folder), "FOLDER")
    line = re.sub(r"(/tmp|/var/folders)/\S*/", "", line)
    line = re.sub(r"\b[0-9a-f]{32}\b", "RUN", line)
    return re.sub(r"127\.0\.0\.\d(:\d+)?", "HOST", line)[:160]


@pytest.fixture(scope="session")
def stand(
    reachable_folder: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    """The services, with a small data set in them."""
    given = make_settings(
        db_port=free_port(HOST),
        ftp_port=free_port(HOST),
        mlflow_tracking_port=free_port(HOST),
        postgres_password=SecretStr(secrets.token_hex(8)),
        ftp_user_pass=SecretStr(secrets.token_hex(8)),
    )
    made = Stand(given, reachable_folder() / "stand")
    try:
        files = tmp_path_factory.mktemp("data") / "synthetic"
        synthetic.generate(files, users=300, movies=200, ratings=12_000, seed=1)
        loader.load(made.real, find("synthetic"), files)
        yield made
    finally:
        made.close()


def pytest_sessionfinish(exitstatus: int) -> None:
    """Write the table, if every fault ended as it should."""
    if exitstatus == pytest.ExitCode.OK:
        write(ROWS)


@pytest.fixture
def fault(stand: Stand, request: pytest.FixtureRequest) -> Iterator[Fault]:
    """A fault; after it everything is mended, and what must hold is checked."""
    before = invariants.now(stand)
    described = request.node.callspec.params.get("name") if hasattr(request.node, "callspec") else 0
    name = described or " ".join(request.function.__doc__.split()).rstrip(".")
    happening = Fault(stand, str(name))
    stand.environment.clear()
    try:
        yield happening
    finally:
        for process in stand.begun:
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()
        stand.mend()
    invariants.check(stand, before)
    row = Row(happening.name, "; ".join(happening.seen), happening.lost, happening.seconds)
    ROWS.append(row)
