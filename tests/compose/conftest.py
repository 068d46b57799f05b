"""The engine, both generations of Compose, and one stack that most tests share."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose.stack import Stack, docker
from core.settings import Settings
from real_data import real_data
from table_models import loader, synthetic
from table_models.datasets import find

HERE = Path(__file__).parent
CACHE = Path(__file__).resolve().parents[2] / ".venv" / "compose-1.29"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say once why nothing here can run, if nothing can."""
    here = [item for item in items if item.path.is_relative_to(HERE)]
    missing = why_not() if here else None
    for item in here:
        item.add_marker(pytest.mark.timeout(1500))
        if missing:
            item.add_marker(pytest.mark.skip(reason=missing))


def why_not() -> str | None:
    """What is missing for these tests."""
    if not shutil.which("docker"):
        return "Docker is not installed"
    info = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if info.returncode:
        return f"no Docker engine runs: {info.stderr.strip().splitlines()[-1]}"
    return None if compose_2() else "Compose 2 is not installed"


def compose_2() -> list[str] | None:
    """The command of Compose 2."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            asked = [*command, "version", "--short"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout.strip().lstrip("v")[:1] not in ("", "1"):
                return command
    return None


@pytest.fixture(scope="session")
def compose_1() -> list[str]:
    """The command of Compose 1.29, in an environment of its own."""
    python = CACHE / "bin/python"
    wanted = HERE / "compose-1.29.txt"
    installed = CACHE / wanted.name
    if not installed.exists() or installed.read_text() != wanted.read_text():
        venv.create(CACHE, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        tools = [line for line in wanted.read_text().splitlines() if line[:5] in ("setup", "wheel")]
        subprocess.run([*pip, *tools], check=True)
        no_more = ["--no-deps", "--no-build-isolation", "-r", str(wanted)]
        subprocess.run([*pip, *no_more], check=True)
        shutil.copy(wanted, installed)
    return [str(CACHE / "bin/docker-compose")]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a data set: real ratings where there are some, else synthetic ones."""
    real = real_data()
    if real:
        return real
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=600, movies=2000, ratings=60_000, seed=1)
    return folder


def wipe(stack: Stack) -> None:
    """Remove a stack with its volumes."""
    profiles = [word for name in ("load", "push", "pipelines") for word in ("--profile", name)]
    stack(*profiles, "down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="session")
def empty_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose images are built; nothing of it runs."""
    command = compose_2()
    assert command
    folder = tmp_path_factory.mktemp("containers") / "recarena"
    stack = Stack.make(f"recarena-test-{os.getpid()}", folder, command)
    stack("--profile", "load", "--profile", "pipelines", "build", timeout=1200)
    yield stack
    wipe(stack)
    images = docker("images", "--quiet", "--filter", f"reference={stack.name}-*").split()
    docker("rmi", "--force", *set(images), check=False)


@pytest.fixture(scope="session")
def stack(empty_stack: Stack, dataset: Path) -> Stack:
    """The stack with its services up and the data set loaded."""
    shutil.copytree(dataset, empty_stack.folder / "data" / dataset.name)
    empty_stack.settings["DATASET"] = dataset.name
    empty_stack.settle()
    empty_stack("run", "--rm", "-T", "load")
    return empty_stack


@pytest.fixture(scope="session")
def reference(services: Settings, dataset: Path) -> Settings:
    """The settings of local services without containers, with the same data set."""
    loader.load(services, find(dataset.name), dataset)
    return services


def python(settings: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """Run Python as the tests do, with settings of one's own."""
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | settings | {"PYTHONPATH": str(root / "src")}
    return subprocess.run(
        [sys.executable, *args],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
