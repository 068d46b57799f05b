"""A stack of containers of the tests' own: a copy of the project, other ports, other names."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.ports import can_bind, free_port

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = (".git", ".venv", ".recarena", "__pycache__", ".*_cache", ".work", "data", "secrets")
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def first_passive_port() -> int:
    """The first of ten ports that look free."""
    while True:
        first = free_port("127.0.0.1")
        if all(can_bind("127.0.0.1", port) for port in range(first, first + 10)):
            return first


@dataclass
class Stack:
    """The containers of one project name."""

    name: str
    folder: Path
    command: list[str]
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, name: str, folder: Path, command: list[str]) -> "Stack":
        """A stack that does not run yet, in a copy of the project."""
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
        (folder / "data").mkdir()
        return cls(name, folder, command, cls.ports())

    @staticmethod
    def ports() -> dict[str, str]:
        """Settings that say which ports to publish; they were free just now."""
        passive = first_passive_port()
        return {
            "DB_PORT": str(free_port("127.0.0.1")),
            "FTP_PORT": str(free_port("127.0.0.1")),
            "FTP_PASSIVE_PORTS": f"{passive}-{passive + 9}",
            "MLFLOW_TRACKING_PORT": str(free_port("127.0.0.1")),
        }

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a command: this stack's settings and nobody else's."""
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COMPOSE_", "FTP_", "POSTGRES_", "MLFLOW_", "DB_", "MAKE"))
            and name not in ("DATASET", "GIT_COMMIT", "MFLAGS")
        }
        return own | {"COMPOSE_PROJECT_NAME": self.name} | self.settings | more

    def __call__(
        self, *args: str, check: bool = True, timeout: float = 900, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Compose with some arguments."""
        done = subprocess.run(
            [*self.command, *args],
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{args}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def start(self, *args: str, **more: str) -> subprocess.Popen[str]:
        """Begin a command of Compose and go on."""
        return subprocess.Popen(
            [*self.command, *args],
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def container(self, service: str) -> str:
        """The id of a service's only container, whether it runs or not."""
        # Compose 1 lists stopped ones without being asked, where --quiet is given
        more = [] if "compose-1.29" in self.command[0] else ["--all"]
        (found,) = self("ps", *more, "--quiet", service).stdout.split()
        return found

    def state(self, service: str) -> dict[str, Any]:
        """What the engine says about a service's container."""
        found: dict[str, Any] = json.loads(docker("inspect", self.container(service)))[0]
        return found

    def settle(self) -> None:
        """Return when the services are up and healthy."""
        self("up", "-d")
        for service in ("db", "ftp-server", "mlflow-server"):
            eventually(lambda name=service: self.health(name) == "healthy")

    def health(self, service: str) -> str:
        """What the engine found when it last asked a service's container."""
        found: str = self.state(service)["State"]["Health"]["Status"]
        return found

    def sql(self, query: str) -> str:
        """The answer of the database, asked over TCP with its password."""
        psql = "PGPASSWORD=${POSTGRES_PASSWORD:-$(cat $POSTGRES_PASSWORD_FILE)}"
        psql += ' psql -qtA -v ON_ERROR_STOP=1 -h db -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "$0"'
        return self("exec", "-T", "db", "sh", "-c", psql, query).stdout.strip()

    def mlflow(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of MLflow's REST API, through the published port."""
        url = f"http://127.0.0.1:{self.settings['MLFLOW_TRACKING_PORT']}/api/2.0/mlflow/{path}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.loads(OPENER.open(request, timeout=60).read())
        return answer

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first: id, status, tags, params and metrics by name."""
        experiments = self.mlflow("experiments/search", {"max_results": 100})["experiments"]
        ids = [one["experiment_id"] for one in experiments]
        found = self.mlflow("runs/search", {"experiment_ids": ids, "max_results": 500})
        return [_plain(run) for run in found.get("runs", [])]

    def finished(self) -> dict[str, dict[str, Any]]:
        """The newest finished run of each recommender."""
        done = [run for run in self.runs() if run["status"] == "FINISHED"]
        return {run["tags"]["pipeline"]: run for run in reversed(done)}

    def files(self) -> dict[str, int]:
        """Every file in the volume of the FTP server, with its size."""
        lines = self(
            "exec", "-T", "ftp-server", "find", "/srv/ftp", "-type", "f", "-printf", "%P %s\\n"
        )
        rows = (line.rsplit(" ", 1) for line in lines.stdout.splitlines())
        return {name: int(size) for name, size in rows}


def eventually(holds: Callable[[], object], seconds: float = 180) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.2)


def _plain(run: dict[str, Any]) -> dict[str, Any]:
    data, info = run["data"], run["info"]
    plain = {
        kind: {one["key"]: one["value"] for one in data.get(kind, [])}
        for kind in ("tags", "params", "metrics")
    }
    return {"id": info["run_id"], "status": info["status"], "uri": info["artifact_uri"]} | plain


def docker(*args: str, check: bool = True) -> str:
    """What a command of the engine prints."""
    done = subprocess.run(["docker", *args], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{args}\n{done.stderr}"
    both = done.stdout + done.stderr if args[0] == "logs" else done.stdout
    return both.strip()
