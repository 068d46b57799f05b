"""The FTP server as it runs in production: a process that is told everything by its environment."""

import ftplib
import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from pyftpdlib.exceptions import AuthenticationFailed

import ftp_servers
from core.paths import ROOT
from ftp_servers import Server
from utils.ftp_accounts import Accounts
from utils.ftp_artifacts import FtpArtifactRepository
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
    "command",
    [
        "SITE CHMOD 777 file",
        "APPE file",
        "MFMT 20200101000000 file",
        "STOU",
        "PORT 127,0,0,1,200,200",
        "EPRT |1|127.0.0.1|51400|",
    ],
)
def test_grants_no_more_than_storing(
    client: ftplib.FTP, server: tuple[int, Path, Path], command: str
) -> None:
    (server[1] / "file").write_text("x")
    with pytest.raises(ftplib.error_perm, match=r"^5[05]0"):
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


# --- what it refuses, and how it goes on ---------------------------------------------------------


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers with settings of the test's own."""
    made: list[Server] = []

    def make(**given: Any) -> Server:
        made.append(Server(tmp_path, **given))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        assert ftp_servers.PASSWORD not in (one.folder / "log").read_text()


CHECKSUMS: dict[str, Callable[[bytes], str]] = {
    "XCRC": lambda content: f"{zlib.crc32(content):08x}",
    "XSHA256": lambda content: hashlib.sha256(content).hexdigest(),
}


def checksum(session: ftplib.FTP, path: str, command: str = "XSHA256") -> str:
    return session.sendcmd(f"{command} {path}").split()[-1]


@pytest.mark.parametrize("command", CHECKSUMS)
def test_tells_the_checksum_of_a_file_also_after_a_restart(
    make_server: Callable[..., Server], command: str
) -> None:
    server, content, of = make_server(), os.urandom(9_000_000), CHECKSUMS[command]
    with server.session() as session:
        assert f" {command}\n" in session.sendcmd("FEAT")
        session.storbinary("STOR part", io.BytesIO(content))
        session.rename("part", "whole")
        assert checksum(session, "whole", command) == of(content)
        session.storbinary("STOR whole", io.BytesIO(b"other"))
        assert checksum(session, "whole", command) == of(b"other")
        session.storbinary("STOR whole", io.BytesIO(content))
    server.stop()
    server.start()
    with server.session() as session:
        assert checksum(session, "whole", command) == of(content)  # read anew, in several blocks
        assert session.voidcmd("NOOP").startswith("200")
        for path in ("none", "/", "/../etc/passwd", ".incoming"):
            with pytest.raises(ftplib.error_perm, match="550"):
                checksum(session, path, command)


def test_a_reader_may_read_only(make_server: Callable[..., Server]) -> None:
    server = make_server(FTP_READER_NAME="guest", FTP_READER_PASS="look")
    with server.session() as session:
        session.storbinary("STOR file", io.BytesIO(b"x"))
    with server.session("guest", "look") as session:
        assert session.nlst() == ["file"]
        assert checksum(session, "file") == hashlib.sha256(b"x").hexdigest()
        session.retrbinary("RETR file", lambda _: None)
        for command in ("STOR new", "DELE file", "MKD folder", "RMD folder", "RNFR file"):
            with pytest.raises(ftplib.error_perm, match="550"):
                session.sendcmd(command)
    assert "look" not in (server.folder / "log").read_text()


def test_passwords_are_kept_as_salted_hashes(tmp_path: Path) -> None:
    one, other = Accounts(), Accounts()
    for accounts in (one, other):
        accounts.add(USER, PASSWORD, tmp_path, "elr")
    assert PASSWORD not in repr(vars(one))
    assert vars(one)["_hashes"] != vars(other)["_hashes"]
    one.validate_authentication(USER, PASSWORD, None)
    one.validate_authentication(USER, PASSWORD, None)  # the quick way
    assert PASSWORD not in repr(vars(one))
    for name, password in ((USER, PASSWORD + " "), (USER, ""), ("x", PASSWORD), ("anonymous", "")):
        with pytest.raises(AuthenticationFailed):
            one.validate_authentication(name, password, None)


def test_failed_logins_are_few_and_keep_nobody_out(make_server: Callable[..., Server]) -> None:
    server = make_server()

    def guess(number: int) -> int:
        """Guesses that one connection may make before it is closed."""
        with ftplib.FTP(timeout=60) as session:
            session.connect(HOST, server.port)
            for count in range(1, 9):
                with suppress(ftplib.error_perm):
                    session.sendcmd("USER " + ftp_servers.USER)
                    session.sendcmd(f"PASS guess {number}.{count}")
                with suppress(OSError, EOFError):
                    session.voidcmd("NOOP")
                    continue
                return count
        return 9

    with ThreadPoolExecutor(48) as pool:
        guesses = [pool.submit(guess, number) for number in range(48)]
        with server.session() as session:  # in the middle of it
            session.storbinary("STOR file", io.BytesIO(b"x" * 100_000))
            assert session.nlst() == ["file"]
        assert {one.result() for one in guesses} == {3}
    assert "guess" not in (server.folder / "log").read_text()


def test_a_command_that_is_too_long_is_not_cut_into_two(
    make_server: Callable[..., Server],
) -> None:
    server = make_server()
    with server.session() as session:
        session.storbinary("STOR file", io.BytesIO(b"x"))
        session.sock.sendall(b"STOR " + b"x" * 4091 + b"DELE file\r\nDELE file\r\n")
        answers = []
        with suppress(OSError):
            answers = session.file.readlines() if session.file else []  # until it hangs up
    assert [answer[:3] for answer in answers] in ([], ["500"])
    assert (server.root / "file").read_bytes() == b"x"


def test_what_a_client_makes_up_does_not_write_into_the_log(
    make_server: Callable[..., Server],
) -> None:
    server = make_server()
    with server.session() as session:
        session.sock.sendall(b"MKD \x1b[2Jred\x0bline\r\n")
        session.getresp()
        session.nlst()
    text = (server.folder / "log").read_text()
    assert "\x1b" not in text
    assert "\\x1b[2Jred\\x0bline" in text


def test_files_are_replaced_whole_and_never_continued(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with server.session() as session:
        session.storbinary("STOR file", io.BytesIO(b"the old one"))
        with pytest.raises(ftplib.error_perm, match="550"):
            session.storbinary("STOR file", io.BytesIO(b"xx"), rest=4)
    assert (server.root / "file").read_bytes() == b"the old one"


@pytest.mark.parametrize(
    "full", [{"largest_file_kib": 4096}, {"FTP_KEEP_FREE_MIB": str(10**9)}], ids=["disk", "kept"]
)
def test_a_full_disk_is_said_to_be_full(
    make_server: Callable[..., Server], tmp_path: Path, full: dict[str, Any]
) -> None:
    server = make_server(**full)
    file = tmp_path / "model"
    file.write_bytes(bytes(20_000_000))
    store = FtpArtifactRepository(server.uri + "run")
    with pytest.raises(MlflowException, match="552 No space left") as caught:
        store.log_artifact(str(file))
    assert caught.value.error_code == "ABORTED"  # and so is not tried again
    assert store.list_artifacts() == []
    assert server.parts() == []
    assert list((server.root / "run").iterdir()) == []
    with server.session() as session, pytest.raises(ftplib.Error, match="552"):
        session.storbinary("STOR file", io.BytesIO(bytes(4_300_000)))  # fails in the last block
    assert server.parts() == []


def test_sessions_of_one_address_are_limited(make_server: Callable[..., Server]) -> None:
    server = make_server(FTP_MAX_CONNECTIONS_PER_HOST="2")
    with server.session(), server.session(), pytest.raises(ftplib.error_temp, match="421"):
        server.session()
    server.session().close()


def test_a_silent_session_is_ended(make_server: Callable[..., Server]) -> None:
    server = make_server(FTP_IDLE_SECONDS="1")
    with closing(server.session()) as session, pytest.raises(ftplib.error_temp, match="421"):
        session.getresp()


def test_all_sockets_together_are_limited(make_server: Callable[..., Server]) -> None:
    server = make_server(FTP_MAX_CONNECTIONS="4")
    with ExitStack() as stack:
        sessions = [stack.enter_context(server.session()) for _ in range(3)]
        sessions[0].sendcmd("PASV")
        with pytest.raises(ftplib.error_temp, match="425"):
            sessions[1].sendcmd("PASV")
        with pytest.raises(ftplib.error_temp, match="421"):
            server.session()


def test_nobody_else_gets_a_clients_data(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with server.session() as session:
        address = ftplib.parse227(session.sendcmd("PASV"))
        with socket.create_connection(address, 10, ("127.0.0.2", 0)) as thief:
            assert thief.recv(1) == b""
        with pytest.raises(ftplib.error_temp, match="425"):
            session.getresp()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"FTP_READER_NAME": "guest"}, "give both or none"),
        ({"FTP_READER_NAME": USER, "FTP_READER_PASS": "x"}, "must not be FTP_USER_NAME"),
        ({"FTP_TLS": "1"}, "FTP_TLS needs FTP_CERTIFICATE and FTP_KEY"),
        ({"FTP_TLS": "1", "FTP_CERTIFICATE": "/none", "FTP_KEY": "/none"}, "FTP_CERTIFICATE=/none"),
        ({"FTP_IDLE_SECONDS": "0"}, "FTP_IDLE_SECONDS"),
    ],
)
def test_says_in_one_line_which_setting_is_wrong(
    tmp_path: Path, given: dict[str, str], message: str
) -> None:
    env = environment(tmp_path / "root", free_port(HOST), **given)
    assert run(env, tmp_path / "log").wait(30) == 1
    said = (tmp_path / "log").read_text()
    assert len(said.splitlines()) == 1
    assert message in said
