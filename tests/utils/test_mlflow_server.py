"""How the MLflow server is told what to do; that it then does is tested with the local services."""

import socket

import pytest
from pydantic import SecretStr

from conftest import make_settings
from core.errors import RecArenaError
from utils.mlflow_server import allowed_hosts, mlflow_command, mlflow_environment

HIDDEN = {
    "ftp_user_pass": SecretStr("p@ss:w/rd %"),
    "backend_store_uri": SecretStr("postgresql://eve:hidden@db/runs"),
}


def test_secrets_are_in_the_environment_and_not_in_the_command() -> None:
    settings = make_settings(**HIDDEN, ftp_port=2121)
    environment = mlflow_environment(settings)
    destination = environment["MLFLOW_ARTIFACTS_DESTINATION"]
    assert destination == "ftp://recarena:p%40ss%3Aw%2Frd%20%25@127.0.0.1:2121/"
    backend = environment["MLFLOW_BACKEND_STORE_URI"]
    assert backend == "postgresql+psycopg2://eve:hidden@db/runs"
    line = " ".join(mlflow_command(settings))
    assert "ftp" not in line
    assert "hidden" not in line


def test_the_default_backend_is_a_file_in_the_servers_own_folder() -> None:
    assert mlflow_environment(make_settings())["MLFLOW_BACKEND_STORE_URI"] == "sqlite:///mlflow.db"


@pytest.mark.parametrize("user", ["e ve", "e@ve", "é", "a/b"])
def test_an_account_that_mlflow_cannot_use_is_refused(user: str) -> None:
    with pytest.raises(RecArenaError, match="FTP_USER_NAME"):
        mlflow_environment(make_settings(ftp_user_name=user))


def test_an_unknown_backend_is_refused_without_being_shown() -> None:
    unknown = make_settings(backend_store_uri=SecretStr("nonsense://eve:hidden@db/runs"))
    with pytest.raises(RecArenaError, match="BACKEND_STORE_URI") as caught:
        mlflow_environment(unknown)
    assert "hidden" not in str(caught.value)


def test_only_the_hosts_that_are_bound_are_allowed() -> None:
    settings = make_settings(mlflow_tracking_port=5)
    assert allowed_hosts(settings) == ["127.0.0.1:5", "localhost:5"]
    everywhere = allowed_hosts(settings.model_copy(update={"bind_host": "0.0.0.0"}))
    assert f"{socket.gethostname()}:5" in everywhere
    assert not any("*" in host for host in everywhere)
