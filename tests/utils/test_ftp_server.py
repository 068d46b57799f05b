"""The FTP server as it runs in production: a process that is told everything by its environment."""

import ftplib
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.paths import ROOT
from utils.ports import free_port

HOST, USER, PASSWORD = "127.0.0.1", "store", "p@ss word/%:"


def environment(root: Path, port: int, **more: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT / "src"),
        "FTP_PORT": str(port),
        "FTP_USER_NAME": USER,
        "FTP_USER_PASS": PASSWORD,
        "FTP_ROOT": str(root),
    } | more


def run(env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        command = [sys.executable, "-m", "utils.ftp_server"]
        return subprocess.Popen(command, env=env, stdout=output, stderr=output)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, Path]]:
    """Port, root and log of a running server whose data connections have one port."""
    folder = tmp_path_factory.mktemp("ftp server")
    port, passive = free_port(HOST), free_port(HOST)
    root, log = folder / "the root", folder / "log"
    process = run(environment(root, port, FTP_PASSIVE_PORTS=f"{passive}-{passive}"), log)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                break
        time.sleep(0.05)
    yield port, root, log
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert PASSWORD not in log.read_text()


@pytest.fixture
def client(server: tuple[int, Path, Path]) -> Iterator[ftplib.FTP]:
    with ftplib.FTP(timeout=10) as session:
        session.connect(HOST, server[0])
        session.login(USER, PASSWORD)
        yield session


def test_stores_and_returns_files(client: ftplib.FTP, server: tuple[int, Path, Path]) -> None:
    content = bytes(range(256)) * 5000
    client.mkd("run é")
    client.storbinary("STOR run é/part", io.BytesIO(content))
    client.rename("run é/part", "run é/whole")
    came = io.BytesIO()
    client.retrbinary("RETR run é/whole", came.write)
    assert came.getvalue() == content
    assert (server[1] / "run é" / "whole").read_bytes() == content
    client.delete("run é/whole")
    client.rmd("run é")
    assert client.nlst() == []


def test_refuses_other_accounts(server: tuple[int, Path, Path]) -> None:
    def refusal(account: tuple[str, str]) -> str:
        with ftplib.FTP(timeout=10) as session:
            session.connect(HOST, server[0])
            with pytest.raises(ftplib.error_perm) as caught:
                session.login(*account)
        return str(caught.value)[:3]

    accounts = [(USER, "wrong"), ("anonymous", ""), ("root", "")]
    with ThreadPoolExecutor(3) as pool:  # the server takes its time to refuse
        assert list(pool.map(refusal, accounts)) == ["530"] * 3


def test_does_not_leave_its_root(client: ftplib.FTP, server: tuple[int, Path, Path]) -> None:
    (server[1].parent / "outside").write_text("secret")
    for name in ("../outside", "/../outside", str(server[1].parent / "outside")):
        with pytest.raises(ftplib.error_perm, match="550"):
            client.retrbinary(f"RETR {name}", lambda _: None)
    client.cwd("../../..")
    assert client.pwd() == "/"


@pytest.mark.parametrize(
    "command", ["SITE CHMOD 777 file", "APPE file", "MFMT 20200101000000 file"]
)
def test_grants_no_more_than_storing(
    client: ftplib.FTP, server: tuple[int, Path, Path], command: str
) -> None:
    (server[1] / "file").write_text("x")
    with pytest.raises(ftplib.error_perm, match="550"):
        client.voidcmd(command)


@pytest.mark.parametrize("name", ["FTP_USER_PASS", "FTP_ROOT", "FTP_USER_NAME"])
def test_says_in_one_line_which_variable_is_missing(tmp_path: Path, name: str) -> None:
    env = environment(tmp_path / "root", free_port(HOST))
    del env[name]
    assert run(env, tmp_path / "log").wait(20) == 1
    said = (tmp_path / "log").read_text()
    assert len(said.splitlines()) == 1
    assert name in said


def test_says_in_one_line_that_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        assert run(environment(tmp_path / "root", port), tmp_path / "log").wait(20) == 1
    said = (tmp_path / "log").read_text()
    assert len(said.splitlines()) == 1
    assert f"{HOST}:{port}" in said
