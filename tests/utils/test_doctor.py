"""The doctor, with healthy services and with none."""

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from conftest import HOST, make_settings
from core.settings import Settings
from utils import doctor
from utils.doctor import Check, checks
from utils.ports import free_port

SERVICES = ["database", "FTP server", "MLflow", "artifacts"]


def by_name(settings: Settings) -> dict[str, Check]:
    found = checks(settings)
    for check in found:
        assert "\n" not in check.detail + check.remedy
        assert check.detail
        assert bool(check.remedy) == (not check.ok)
    return {check.name: check for check in found}


def test_healthy_services_pass(services: Settings) -> None:
    found = by_name(services)
    assert [name for name in SERVICES if not found[name].ok] == []
    assert found["Python"].ok
    assert found["database"].detail.startswith("PostgreSQL 1")
    assert "sha256" in found["artifacts"].detail


def test_a_round_trip_can_be_repeated(services: Settings) -> None:
    assert by_name(services)["artifacts"].ok
    assert by_name(services)["artifacts"].ok


def test_wrong_accounts_are_found_and_not_shown(services: Settings) -> None:
    wrong = {"postgres_password": SecretStr("not it"), "ftp_user_pass": SecretStr("not it")}
    found = by_name(services.model_copy(update=wrong))
    assert [name for name in SERVICES if not found[name].ok] == ["database", "FTP server"]
    assert "authentication failed" in found["database"].detail
    assert "530" in found["FTP server"].detail
    assert not any("not it" in check.detail for check in found.values())


def test_missing_services_are_named_with_a_remedy() -> None:
    ports = {name: free_port(HOST) for name in ("db_port", "ftp_port", "mlflow_tracking_port")}
    found = by_name(make_settings(**ports))
    assert [name for name in SERVICES if found[name].ok] == []
    assert "recarena up" in found["database"].remedy


def test_a_stranger_on_a_port_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        found = by_name(
            make_settings(
                db_port=port, ftp_port=port, mlflow_tracking_port=port, connect_timeout=0.5
            )
        )
    assert [name for name in SERVICES if found[name].ok] == []


def test_a_full_disk_and_an_unfit_python_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "FREE_GIB", 1e9)
    monkeypatch.setattr(doctor, "PYTHONS", ((9, 0), (9, 1)))
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    found = by_name(
        make_settings(db_port=1, ftp_port=1, mlflow_tracking_port=1, connect_timeout=0.1)
    )
    assert not found["disk"].ok
    assert not found["Python"].ok


@pytest.mark.parametrize(("exceptions", "ok"), [("", False), ("127.0.0.1", True)])
def test_a_proxy_in_the_way_is_told(
    monkeypatch: pytest.MonkeyPatch, exceptions: str, ok: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)
    monkeypatch.setenv("no_proxy", exceptions)
    found = by_name(
        make_settings(db_port=1, ftp_port=1, mlflow_tracking_port=1, connect_timeout=0.1)
    )
    assert found["proxy"].ok is ok
