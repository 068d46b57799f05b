"""Files on the FTP server are whole, whoever is killed while one is on its way."""

import ftplib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftp_servers import INCOMING, Server, wait_until
from utils.ports import gateway

# a client that never ends its upload, told apart by its process only
ENDLESS = """
import ftplib, sys, time
class Slow:
    def read(self, size):
        time.sleep(0.01)
        return b"x" * size
session = ftplib.FTP()
session.connect("127.0.0.1", int(sys.argv[1]))
session.login("store", "secret")
for command in sys.argv[2:]:
    session.sendcmd(command)
session.storbinary("STOR model", Slow())
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def uploading(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """A client in the middle of an upload whose size it announced."""
    command = [sys.executable, "-c", ENDLESS, str(server.port), "ALLO 1000000000"]
    client = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: server.received() > 2_000_000)
    yield client
    client.kill()
    client.wait(10)


def test_a_killed_client_leaves_nothing(server: Server, uploading: subprocess.Popen[bytes]) -> None:
    uploading.kill()
    wait_until(lambda: not server.parts())
    with server.session() as session:
        assert session.nlst() == []


def test_a_killed_client_leaves_the_file_that_was_there(server: Server) -> None:
    with server.session() as session:
        session.storbinary("STOR model", io.BytesIO(b"the old one"))
    command = [sys.executable, "-c", ENDLESS, str(server.port)]
    client = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: server.received() > 2_000_000)
    client.kill()
    client.wait(10)
    wait_until(lambda: not server.parts())
    assert (server.root / "model").read_bytes() == b"the old one"


def test_a_killed_server_leaves_nothing(server: Server, uploading: subprocess.Popen[bytes]) -> None:
    server.stop(signal.SIGKILL)
    assert not (server.root / "model").exists()
    server.start()
    assert server.parts() == []
    with server.session() as session:
        assert session.nlst() == []


def test_a_file_is_there_as_soon_as_the_server_says_so(server: Server) -> None:
    with server.session() as session:
        for number in range(20):
            session.storbinary(f"STOR {number}", io.BytesIO(b"x" * 100_000))
            assert session.size(f"/{number}") == 100_000
    assert server.parts() == []


def test_the_last_file_stays_when_the_client_leaves_without_a_word(server: Server) -> None:
    session = server.session()
    session.storbinary("STOR model", io.BytesIO(b"x" * 3_000_000))
    session.close()  # as MLflow does
    assert (server.root / "model").stat().st_size == 3_000_000


def test_what_is_unfinished_is_not_to_be_seen(
    server: Server, uploading: subprocess.Popen[bytes]
) -> None:
    (part,) = server.parts()
    with server.session() as session:
        assert session.nlst() == []
        assert session.nlst("/") == []
        with pytest.raises(ftplib.error_perm, match="550"):
            session.cwd(INCOMING)
        with pytest.raises(ftplib.error_perm, match="550"):
            session.retrbinary(f"RETR /{INCOMING}/{part.name}", lambda _: None)


@pytest.mark.parametrize("name", ["folder", "nowhere/file"])
def test_a_name_that_cannot_be_is_refused(server: Server, name: str) -> None:
    with server.session() as session:
        session.mkd("folder")
        with pytest.raises(ftplib.error_perm, match="550"):
            session.storbinary(f"STOR {name}", io.BytesIO(b"x"))


def test_the_gateway_is_the_default_route(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\n"
        "eth0\t000012AC\t00000000\t0001\n"
        "eth0\t00000000\t010012AC\t0003\n"
    )
    assert gateway(table) == "172.18.0.1"
    table.write_text("Iface\tDestination\tGateway\n")
    assert gateway(table) is None
    assert gateway(tmp_path / "missing") is None
