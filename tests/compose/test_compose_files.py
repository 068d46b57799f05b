"""Both generations of Compose take the files, and read the same in them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from compose.conftest import compose_2
from compose.stack import Stack

pytestmark = pytest.mark.compose
SECRET_FILES = ("-f", "docker-compose.yml", "-f", "docker-compose.secrets.yml")
ALL = ("--profile", "load", "--profile", "push", "--profile", "pipelines")
HIDDEN = {"POSTGRES_PASSWORD": "hidden-postgres", "FTP_USER_PASS": "hidden-ftp"}
HIDDEN_MLFLOW = {"MLFLOW_ADMIN_PASS": "hidden-admin", "MLFLOW_TRACKING_PASSWORD": "hidden-runner"}


@pytest.fixture(scope="module", params=["1.29", "2"])
def parsing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack that is parsed only."""
    command = compose_2()
    if request.param == "1.29":
        command = request.getfixturevalue("compose_1")
    assert command
    folder = tmp_path_factory.mktemp("parsed") / "recarena"
    made = Stack.make("recarena-parsed", folder, command)
    (folder / "secrets").mkdir()
    for name in ("postgres_password", "ftp_user_pass"):
        (folder / "secrets" / name).write_text("hidden-in-file\n")
    return made


def config(stack: Stack, *files: str, **more: str) -> dict[str, Any]:
    done = stack(*files, *ALL, "config", **more)
    assert done.stderr == "", "it warns"
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


@pytest.mark.parametrize("files", [(), SECRET_FILES], ids=["env", "secrets"])
def test_it_is_taken_without_a_warning(parsing: Stack, files: tuple[str, ...]) -> None:
    services = config(parsing, *files)["services"]
    folders = [one.parent.name for one in parsing.folder.glob("src/pipelines/*/Dockerfile")]
    pipelines = {f"pipeline_{name.lower()}" for name in folders}
    platform = {"db", "ftp-server", "mlflow-server", "migrate", "load", "push"}
    assert services.keys() == platform | pipelines


def test_without_a_profile_there_is_no_pipeline(parsing: Stack) -> None:
    found = parsing("config", "--services").stdout.split()
    assert sorted(found) == ["db", "ftp-server", "migrate", "mlflow-server"] or (
        parsing.command[0].endswith("compose-1.29/bin/docker-compose")
    )  # 1.29 lists them all


def test_no_password_is_in_the_configuration_of_a_pipeline(parsing: Stack) -> None:
    account = HIDDEN_MLFLOW | {"MLFLOW_ADMIN_USER": "boss", "MLFLOW_TRACKING_USERNAME": "runner"}
    services = config(parsing, **HIDDEN, **account)["services"]
    for name, service in services.items():
        told = json.dumps(service)
        if name.startswith("pipeline_"):
            assert "hidden" not in told
        else:
            assert ("hidden-ftp" in told) == (name in ("ftp-server", "mlflow-server"))
            assert ("hidden-postgres" in told) == (name in ("db", "migrate", "load"))
            assert ("hidden-admin" in told) == (name == "mlflow-server")
            assert ("hidden-runner" in told) == (name in ("migrate", "load"))


def test_with_secrets_in_files_no_password_is_in_any_configuration(parsing: Stack) -> None:
    assert "hidden" not in json.dumps(config(parsing, *SECRET_FILES, **HIDDEN))


def test_ports_follow_the_settings(parsing: Stack) -> None:
    services = config(parsing)["services"]
    published = {name: json.dumps(one.get("ports")) for name, one in services.items()}
    assert parsing.settings["DB_PORT"] in published["db"]
    assert parsing.settings["FTP_PORT"] in published["ftp-server"]
    assert parsing.settings["MLFLOW_TRACKING_PORT"] in published["mlflow-server"]
    default = yaml.safe_load((parsing.folder / "docker-compose.yml").read_text())["services"]
    assert "${DB_PORT:-5432}:5432" in default["db"]["ports"][0]
    assert "${FTP_PORT:-21}" in default["ftp-server"]["ports"][0]
    assert "${FTP_PASSIVE_PORTS:-30000-30009}" in default["ftp-server"]["ports"][1]
    assert "${MLFLOW_TRACKING_PORT:-5001}" in default["mlflow-server"]["ports"][0]


def test_memory_can_be_set(parsing: Stack) -> None:
    limits = {"PIPELINE_MEMORY": "1g", "DB_MEMORY": "1g", "MLFLOW_MEMORY": "1g", "FTP_MEMORY": "1g"}
    services = config(parsing, **limits)["services"]
    assert {str(one["mem_limit"]) for one in services.values()} <= {"1g", str(1 << 30)}


def test_the_copy_is_that_of_the_project(parsing: Stack) -> None:
    assert not (parsing.folder / ".git").exists()
    assert list(Path(parsing.folder, "data").iterdir()) == []
