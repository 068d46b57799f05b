"""Artifacts that travel encrypted: the server's certificate, and who is trusted."""

import ftplib
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cryptography import x509
from mlflow.exceptions import MlflowException

from conftest import make_settings
from core.errors import RecArenaError
from ftp_servers import HOST, PASSWORD, USER, Server, wait_until
from utils.doctor import checks
from utils.ftp_artifacts import FtpArtifactRepository
from utils.ftp_certificate import ensure_certificate
from utils.ftp_tls import tls_environment, with_tls
from utils.local_services import up, wipe
from utils.ports import free_port

# a client in the middle of an encrypted upload
ENDLESS = """
import ftplib, ssl, sys, time
class Slow:
    def read(self, size):
        time.sleep(0.01)
        return b"x" * size
session = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=sys.argv[2]))
session.connect("127.0.0.1", int(sys.argv[1]))
session.login("store", "secret")
session.prot_p()
session.storbinary("STOR model", Slow())
"""


def secure(folder: Path, hosts: str) -> Server:
    """A server that makes itself a certificate for these hosts."""
    return Server(
        folder,
        FTP_TLS="true",
        FTP_CERTIFICATE=str(folder / "tls/ftp.crt"),
        FTP_KEY=str(folder / "tls/ftp.key"),
        FTP_CERTIFICATE_HOSTS=hosts,
    )


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    server = secure(tmp_path, getattr(request, "param", "localhost,127.0.0.1"))
    yield server
    server.stop()
    assert PASSWORD not in (tmp_path / "log").read_text()


@pytest.fixture
def trusted(server: Server, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The client's trust in the server's own certificate."""
    file = server.more["FTP_CERTIFICATE"]
    monkeypatch.setenv("FTP_CA_FILE", file)
    monkeypatch.setenv("FTP_RETRIES", "0")
    return ssl.create_default_context(cafile=file)


def store_of(server: Server, host: str = HOST) -> FtpArtifactRepository:
    return FtpArtifactRepository(server.uri.replace("ftp://", "ftps://").replace(HOST, host))


def test_artifacts_go_and_come_encrypted(
    server: Server, trusted: ssl.SSLContext, tmp_path: Path
) -> None:
    file = tmp_path / "model é.pkl"
    file.write_bytes(os.urandom(5_000_000))
    for host in (HOST, "localhost"):
        store = store_of(server, host)
        store.log_artifact(str(file), "a/b")
        assert [one.path for one in store.list_artifacts("a/b")] == ["a/b/model é.pkl"]
        came = Path(store.download_artifacts("a/b/model é.pkl"))
        assert came.read_bytes() == file.read_bytes()
        store.delete_artifacts("a")
    assert list(server.root.glob("[!.]*")) == []
    (tmp_path / "empty").touch()
    assert store.list_artifacts() == []
    store.log_artifact(str(tmp_path / "empty"))
    assert Path(store.download_artifacts("empty")).read_bytes() == b""
    assert Path(server.more["FTP_KEY"]).stat().st_mode & 0o777 == 0o600


def test_nothing_goes_without_encryption(server: Server, trusted: ssl.SSLContext) -> None:
    with pytest.raises(ftplib.error_perm, match="550"):
        server.session()
    with ftplib.FTP_TLS(timeout=20, context=trusted) as half:
        half.connect(HOST, server.port)
        half.login(USER, PASSWORD)
        with pytest.raises(ftplib.error_perm, match="550"):
            half.nlst()


@pytest.mark.parametrize(
    ("server", "known"), [("127.0.0.1", False), ("example.org", True)], indirect=["server"]
)
def test_a_server_that_is_not_the_right_one_gets_no_password(
    server: Server, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if not known:
        monkeypatch.delenv("FTP_CA_FILE")
    monkeypatch.setenv("FTP_RETRIES", "9")
    with pytest.raises(MlflowException, match="CERTIFICATE_VERIFY_FAILED") as caught:
        store_of(server).list_artifacts()
    assert caught.value.error_code == "UNAUTHENTICATED"  # which is not tried again
    text = (server.folder / "log").read_text()
    assert text.count("session opened") == 2  # the first one asked whether it answers
    assert "logged in" not in text


def test_a_killed_client_leaves_nothing(server: Server, trusted: ssl.SSLContext) -> None:
    command = [sys.executable, "-c", ENDLESS, str(server.port), server.more["FTP_CERTIFICATE"]]
    client = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: server.received() > 2_000_000)
    finally:
        client.kill()
        client.wait(10)
    wait_until(lambda: not server.parts())
    assert not (server.root / "model").exists()


def test_an_upload_that_is_cut_off_is_not_taken_for_whole(
    server: Server, trusted: ssl.SSLContext
) -> None:
    with ftplib.FTP_TLS(timeout=20, context=trusted) as session:
        session.connect(HOST, server.port)
        session.login(USER, PASSWORD)
        session.prot_p()
        session.voidcmd("TYPE I")
        connection = session.transfercmd("STOR model")
        connection.sendall(b"x" * 100_000)
        wait_until(lambda: server.received() or server.parts())
        connection.close()  # the connection ends, but not by TLS: so does whoever cuts it
        with suppress(ftplib.Error):
            session.voidresp()
        wait_until(lambda: not server.parts())
        assert session.nlst() == []


def test_a_certificate_is_kept_until_it_does_not_fit(tmp_path: Path) -> None:
    files = tmp_path / "tls/ftp.crt", tmp_path / "tls/ftp.key"
    ensure_certificate(*files, ["a.example"])
    first = files[0].read_bytes()
    ensure_certificate(*files, ["a.example"])
    assert files[0].read_bytes() == first
    ensure_certificate(*files, [])  # the user's own: never touched
    assert files[0].read_bytes() == first
    ensure_certificate(*files, ["a.example", "::1"])
    names = x509.load_pem_x509_certificate(files[0].read_bytes()).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in found] == ["a.example", "::1"]
    files[1].unlink()
    ensure_certificate(*files, ["a.example", "::1"])
    assert files[1].stat().st_mode & 0o777 == 0o600
    files[1].unlink()
    with pytest.raises(RecArenaError, match="FTP_KEY"):
        ensure_certificate(*files, [])


def test_a_certificate_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    given = make_settings(ftp_tls=True, ftp_certificate="mine.crt", ftp_key="mine.key")
    settings = with_tls(given, tmp_path)
    assert tls_environment(settings, tmp_path)["FTP_CERTIFICATE_HOSTS"] == ""
    assert settings.ftp_ca_file == str(Path("mine.crt").absolute())
    ours = with_tls(make_settings(ftp_tls=True), tmp_path)
    assert "127.0.0.1" in tls_environment(ours, tmp_path)["FTP_CERTIFICATE_HOSTS"].split(",")
    with pytest.raises(RecArenaError, match="give both or none"):
        with_tls(make_settings(ftp_tls=True, ftp_key="mine.key"), tmp_path)
    plain = make_settings()
    assert with_tls(plain, tmp_path) is plain


def test_the_mlflow_server_connects_by_tls_to_its_own_store_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "ftps://u:p@store:2121/")
    FtpArtifactRepository("ftps://u:p@store:2121/1/run/artifacts")
    for other in ("ftps://store/", "ftps://evil:2121/", "ftps://u:p@127.0.0.1:2121/"):
        with pytest.raises(MlflowException, match="does not connect"):
            FtpArtifactRepository(other)


def test_the_local_services_speak_tls_when_told_to(
    reachable_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = reachable_folder() / "with tls"
    ports = ("db_port", "ftp_port", "mlflow_tracking_port")
    given = make_settings(ftp_tls=True, **{name: free_port(HOST) for name in ports})
    try:
        real = up(given, print, folder)
        found = {check.name: check for check in checks(real)}
        assert all(found[name].ok for name in ("FTP server", "artifacts")), found
        monkeypatch.setattr("core.settings.LOCAL_SETTINGS", folder / "services.json")
        told = type(real).load()
        assert told.ftp_ca_file == real.ftp_ca_file
        with closing(HTTPConnection(HOST, real.mlflow_tracking_port, timeout=60)) as connection:
            content = os.urandom(3_000_000)
            path = "/api/2.0/mlflow-artifacts/artifacts/a/model"
            for method, body in (("PUT", content), ("GET", None)):
                connection.request(method, path, body)
                answer = connection.getresponse()
                assert answer.status == 200
                came = answer.read()
        assert came == content
        log = (folder / "logs/ftp.log").read_text()
        assert "FTPS" in log
        again = up(given, print, folder)  # all run as planned: nothing is started again
        assert again == real
    finally:
        wipe(print, folder)
