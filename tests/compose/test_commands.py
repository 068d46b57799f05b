"""Every documented command of Compose does what the README says, from nothing to nothing."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose.conftest import wipe
from compose.stack import Stack, docker, eventually

pytestmark = pytest.mark.compose
ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "README.md").read_text().split("## With Docker\n")[1].split("\n## ")[0]
COMMANDS = re.findall(r"^\| `(.*?)` \|", SECTION, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def fresh(
    empty_stack: Stack, dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack of which nothing exists but images, and a `docker-compose` on the path."""
    folder = tmp_path_factory.mktemp("commands")
    stack = Stack.make(f"{empty_stack.name}-readme", folder / "recarena", empty_stack.command)
    subprocess.run(["cp", "-rL", dataset, stack.folder / "data" / dataset.name], check=True)
    program = folder / "bin/docker-compose"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(stack.command)} "$@"\n')
    program.chmod(0o755)
    stack.settings["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    yield stack
    wipe(stack)
    images = docker("images", "--quiet", "--filter", f"reference={stack.name}-*").split()
    docker("rmi", "--force", *set(images), check=False)


def begin(stack: Stack, command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", f"exec {command}" if command.startswith("docker") else command],
        cwd=stack.folder,
        env=stack.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def attached(stack: Stack, command: str) -> None:
    """Run a command that stays attached: Ctrl-C when its recommender has ended."""
    process = begin(stack, command)
    eventually(lambda: len(ids(stack, "pipeline_svd")) == 1, 600)
    container = stack.container("pipeline_svd")
    eventually(lambda: stack.state("pipeline_svd")["State"]["Status"] == "exited")
    assert docker("wait", container) == "0", docker("logs", container)
    assert process.poll() is None, "it stays"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def ids(stack: Stack, service: str) -> list[str]:
    return stack("ps", "--all", "--quiet", service, check=False).stdout.split()


def finish(stack: Stack) -> None:
    """Wait for the pipelines that run in the background."""
    for container in stack("--profile", "pipelines", "ps", "--all", "--quiet").stdout.split():
        state = docker("inspect", "--format", "{{.Config.Labels}}", container)
        if "com.docker.compose.service:pipeline_" in state:
            assert docker("wait", container) == "0", docker("logs", container)


def test_every_documented_command_works(fresh: Stack, dataset: Path) -> None:
    assert len(COMMANDS) > 12
    assert COMMANDS[0] == "docker-compose up -d"
    for line in COMMANDS:
        command = line.replace("ml-latest-small", dataset.name)
        if command == "docker-compose --profile pipeline_svd up":
            attached(fresh, command)
            continue
        process = begin(fresh, command)
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 0, f"{command}\n{said}"
        assert "Traceback" not in said, command
        if "up -d" in command:
            finish(fresh)
        if "leaderboard" in command:
            assert all(name in said for name in ("SVD", "popularity", "BPR")), said
        if command == "docker-compose down":
            assert ids(fresh, "db") == []
            assert docker("volume", "ls", "-q", "--filter", f"name={fresh.name}_")
    assert not docker("volume", "ls", "-q", "--filter", f"name={fresh.name}_")


@pytest.mark.long
def test_a_pipeline_is_all_that_needs_to_be_asked_for(fresh: Stack, dataset: Path) -> None:
    """From nothing: the profile alone waits for what it needs, and says what it lacks."""
    done = fresh("--profile", "pipeline_svd", "up", "-d", check=False)
    assert done.returncode == 0, done.stderr
    container = fresh.container("pipeline_svd")
    assert docker("wait", container) == "1"
    assert "no data set is loaded; run `recarena load DATASET` first" in docker("logs", container)
    fresh("run", "--rm", "-T", "load", DATASET=dataset.name)
    fresh("--profile", "pipeline_svd", "up", "-d")
    assert docker("wait", fresh.container("pipeline_svd")) == "0"
    wipe(fresh)


@pytest.mark.long
def test_the_demo(fresh: Stack) -> None:
    done = subprocess.run(
        ["docker/demo.sh"],
        cwd=fresh.folder,
        env=fresh.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *_, board, address = done.stdout.strip().rsplit("\n", 1)
    assert "recall@10" in board
    port = fresh.settings["MLFLOW_TRACKING_PORT"]
    assert f"MLflow UI: http://127.0.0.1:{port} " in address
    wipe(fresh)
