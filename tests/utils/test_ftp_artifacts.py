"""Artifacts on a real FTP server, through the repository that MLflow loads; with faults."""

import ftplib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from pyftpdlib.handlers import DTPHandler, FTPHandler

from core.errors import RecArenaError
from core.paths import ROOT
from core.settings import Settings
from ftp_servers import HOST, PASSWORD, OtherServer, Server, other_server, wait_until
from utils import ftp_limits, ftp_uploads
from utils.ftp_address import Address, inside
from utils.ftp_artifacts import FtpArtifactRepository
from utils.ftp_checksums import told
from utils.ftp_commands import Session as FtpSession
from utils.ftp_digests import Digests
from utils.ftp_limits import Limits
from utils.ftp_link import Link
from utils.ftp_uploads import Receiver, incoming

NAMES = [
    "plain.bin",
    " spaces in it ",
    'quote\'s "too"',
    "#hash",
    "100%41",
    "é 中文",
    "-l",
    "a;b",
    "a\\b",
]
BAD = [
    "../a",
    "a/../../b",
    "..",
    "/etc/passwd",
    "a\0b",
    "a\r\nDELE b",
    "a\nb",
    "x" * 1100,
    "\ud800",
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test need not wait for; limits that no busy machine reaches."""
    monkeypatch.setattr(ftp_limits, "FIRST_PAUSE", 0.05)
    for name in ("FTP_CONNECT_SECONDS", "FTP_TRANSFER_SECONDS", "FTP_RETRIES", "FTP_CA_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("artifacts"))
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """One that the test may kill."""
    server = Server(tmp_path)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.stop(signal.SIGKILL)


@pytest.fixture
def store(server: Server, tmp_path: Path) -> FtpArtifactRepository:
    """A store below a folder of the test's own, which need not exist."""
    return repository(f"{server.uri}stores/{tmp_path.name}")


def repository(uri: str) -> FtpArtifactRepository:
    found = get_artifact_repository(uri)
    assert type(found) is FtpArtifactRepository
    return found


def make_file(folder: Path, name: str = "model.pkl", size: int = 3_000_000) -> Path:
    file = folder / name
    file.write_bytes(os.urandom(size))
    return file


def listed(store: FtpArtifactRepository, path: str | None = None) -> list[tuple[str, bool, object]]:
    return [(one.path, one.is_dir, one.file_size) for one in store.list_artifacts(path)]


def refusal(action: Callable[[], object]) -> str:
    """The code with which it is refused; the message must not show the account."""
    with pytest.raises(MlflowException) as caught:
        action()
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in caught.value.serialize_as_json()
    return str(caught.value.error_code)


# --- what a store does ---------------------------------------------------------------------------


def test_mlflow_uses_it_for_both_schemes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["mlflow.artifact_repository"].keys() == {"ftp", "ftps"}
    assert repository("ftps://host/")._address.tls
    assert not repository("ftp://host/")._address.tls


@pytest.mark.parametrize("name", NAMES)
def test_stores_lists_returns_and_deletes_whatever_its_name(
    store: FtpArtifactRepository, tmp_path: Path, name: str
) -> None:
    file = make_file(tmp_path, name, 1000)
    store.log_artifact(str(file), "a folder é/%41")
    assert listed(store) == [("a folder é", True, None)]
    assert listed(store, "a folder é/%41") == [(f"a folder é/%41/{name}", False, 1000)]
    assert listed(store, f"a folder é/%41/{name}") == []
    (tmp_path / "got").mkdir()
    came = store.download_artifacts(f"a folder é/%41/{name}", str(tmp_path / "got"))
    assert Path(came).read_bytes() == file.read_bytes()
    store.delete_artifacts(f"a folder é/%41/{name}")
    assert listed(store) == []


def test_stores_and_returns_a_folder_with_folders(
    store: FtpArtifactRepository, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    (given / "a" / "empty").mkdir(parents=True)
    for name in ("top", "a/é", "a/zero"):
        (given / name).write_bytes(b"" if name == "a/zero" else name.encode() * 99)
    store.log_artifacts(str(given), "models")
    assert listed(store, "models") == [("models/a", True, None), ("models/top", False, 297)]
    came = Path(store.download_artifacts("models", None))
    paths = sorted(path.relative_to(given) for path in given.rglob("*"))
    assert sorted(path.relative_to(came) for path in came.rglob("*")) == paths
    assert all((came / p).read_bytes() == (given / p).read_bytes() for p in paths if p.suffix)


def test_replaces_a_file_whole(store: FtpArtifactRepository, tmp_path: Path) -> None:
    for size in (5000, 10):
        file = make_file(tmp_path, "one", size)
        store.log_artifact(str(file))
        assert Path(store.download_artifacts("one")).read_bytes() == file.read_bytes()


def test_deletes_folders_and_those_that_are_empty_then(
    store: FtpArtifactRepository, server: Server, tmp_path: Path
) -> None:
    file = make_file(tmp_path, "f", 10)
    for run in ("1/gone", "1/stays"):
        for folder in ("artifacts", "artifacts/deep/er", "artifacts/model"):
            store.log_artifact(str(file), f"{run}/{folder}")
    top = server.root / "stores" / tmp_path.name
    (top / "1/gone/artifacts/.0123456789abcdef0123456789abcdef.part").write_text("killed")
    store.delete_artifacts("1/gone/artifacts")
    assert [path.name for path in (top / "1").iterdir()] == ["stays"]
    store.delete_artifacts("1/gone/artifacts")  # what is gone is deleted
    run = repository(f"{server.uri}stores/{tmp_path.name}/1/stays/artifacts")
    run.delete_artifacts()
    assert not top.exists()


@pytest.mark.parametrize("path", [None, "", ".", "./", "a/.."])
def test_the_whole_store_is_not_deleted_by_a_slip(server: Server, path: str | None) -> None:
    assert refusal(lambda: repository(server.uri).delete_artifacts(path)) == (
        "INVALID_PARAMETER_VALUE"
    )


def test_what_is_missing_is_said_to_be_missing(store: FtpArtifactRepository) -> None:
    for path in ("nothing", "no/thing"):
        assert refusal(lambda path=path: store.download_artifacts(path)) == (
            "RESOURCE_DOES_NOT_EXIST"
        )
        assert listed(store, path) == []


def test_unfinished_uploads_are_not_listed(
    store: FtpArtifactRepository, server: Server, tmp_path: Path
) -> None:
    store.log_artifact(str(make_file(tmp_path, "whole", 10)))
    name = "." + "0" * 32 + ".part"
    (server.root / "stores" / tmp_path.name / name).write_text("part")
    assert listed(store) == [("whole", False, 10)]
    assert refusal(lambda: store.download_artifacts(name)) == "INVALID_PARAMETER_VALUE"


# --- addresses and paths -------------------------------------------------------------------------


@pytest.mark.parametrize("path", BAD)
def test_a_path_that_leaves_its_folder_is_refused_before_anything_is_sent(
    tmp_path: Path, path: str
) -> None:
    store = repository("ftp://u:secret@127.0.0.1:1/root")  # nobody listens there
    (tmp_path / "f").touch()
    for action in (
        lambda: store.log_artifact(str(tmp_path / "f"), path),
        lambda: store.log_artifacts(str(tmp_path), path),
        lambda: store.list_artifacts(path),
        lambda: store._download_file(path, str(tmp_path / "g")),
        lambda: store.delete_artifacts(path),
    ):
        assert refusal(action) == "INVALID_PARAMETER_VALUE"


def test_a_name_with_a_line_break_is_refused(tmp_path: Path) -> None:
    file = make_file(tmp_path, "a\nDELE b", 1)
    store = repository("ftp://127.0.0.1:1/")
    assert refusal(lambda: store.log_artifact(str(file))) == "INVALID_PARAMETER_VALUE"


@given(
    st.sampled_from(["/", "/root", "/a b/c"]),
    st.text(st.characters() | st.sampled_from("./\\%\0\n"), max_size=40),
)
@example("/root", "a/./..//..")
def test_no_path_leaves_its_root_or_ends_a_command(root: str, path: str) -> None:
    try:
        whole = inside(root, path)
    except ValueError:
        return
    assert whole == root or whole.startswith(root.rstrip("/") + "/")
    assert not {"..", "."} & set(whole.split("/"))
    assert not set("\0\r\n") & set(whole)
    assert len(whole.encode()) <= 1024
    assert inside("/", whole.lstrip("/")) == whole


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(
        st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc"]),
        min_size=1,
        max_size=60,
    )
)
def test_any_name_that_is_taken_comes_back(
    store: FtpArtifactRepository, tmp_path: Path, name: str
) -> None:
    try:
        inside("/", name)
        kept = name not in {".", ".."} and len(name.encode()) <= 255
    except ValueError:
        kept = False
    if not kept:
        return
    file = tmp_path / name
    file.write_bytes(name.encode())
    store.log_artifact(str(file), "n")
    assert [one.path for one in store.list_artifacts("n")] == [f"n/{name}"]
    assert Path(store.download_artifacts(f"n/{name}")).read_bytes() == name.encode()
    store.delete_artifacts("n")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("ftp://h", ("h", 21, "", "", "/", False)),
        ("ftps://h:990/", ("h", 990, "", "", "/", True)),
        (
            "ftp://e%40ve:p%40%3A%2F%20%25%C3%A9@[::1]:21/a%20b/",
            ("::1", 21, "e@ve", "p@:/ %é", "/a b", False),
        ),
        ("ftp:///x//y", ("localhost", 21, "", "", "/x/y", False)),
    ],
)
def test_addresses_are_decoded(uri: str, expected: tuple[object, ...]) -> None:
    found = Address.parse(uri)
    assert (found.host, found.port, found.user, found.password, found.root, found.tls) == expected
    assert repr(found.password) not in repr(found) or not found.password


@pytest.mark.parametrize(
    "uri",
    ["http://u:secret@h/", "ftp://u:secret@h:x/", "ftp://u:sec%0D%0Aret@h/", "ftp://u:secret@h/a/%2e%2e/b",
     "ftp://u:secret@h/?x", "ftp://u:secret@h/a%0ab"],
)  # fmt: skip
def test_a_wrong_address_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(MlflowException) as caught:
        FtpArtifactRepository(uri)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert "sec" not in str(caught.value)


def test_limits_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in Limits.model_fields.items():
        setting = Settings.model_fields.get(str(field.validation_alias).lower())
        if name != "ca_file":
            assert setting
            assert (field.default, field.metadata) == (setting.default, setting.metadata)
    monkeypatch.setenv("FTP_RETRIES", "-1")
    with pytest.raises(RecArenaError, match="FTP_RETRIES"):
        Limits.load()


# --- faults of our own server --------------------------------------------------------------------


def test_an_upload_whose_server_is_killed_is_sent_again_whole(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTP_RETRIES", "9")
    monkeypatch.setattr(ftp_limits, "FIRST_PAUSE", 0.3)
    file, store = make_file(tmp_path, size=60_000_000), repository(own_server.uri + "run")
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(store.log_artifact, str(file))
        wait_until(lambda: own_server.received() > 1_000_000)
        own_server.stop(signal.SIGKILL)
        assert not upload.done()
        assert list((own_server.root / "run").iterdir()) == []
        own_server.start()
        upload.result(60)
    assert listed(store) == [("model.pkl", False, 60_000_000)]
    assert (own_server.root / "run/model.pkl").read_bytes() == file.read_bytes()


def test_a_frozen_server_is_given_up_in_time(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_file(tmp_path, size=60_000_000)
    monkeypatch.setenv("FTP_CONNECT_SECONDS", "1")
    monkeypatch.setenv("FTP_TRANSFER_SECONDS", "1")
    monkeypatch.setenv("FTP_RETRIES", "1")
    store = repository(own_server.uri)
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(store.log_artifact, str(file))
        wait_until(lambda: own_server.received() > 1_000_000)
        own_server.process.send_signal(signal.SIGSTOP)
        assert refusal(lambda: upload.result(60)) == "TEMPORARILY_UNAVAILABLE"
    assert refusal(store.list_artifacts) == "TEMPORARILY_UNAVAILABLE"
    own_server.process.send_signal(signal.SIGCONT)
    wait_until(lambda: not own_server.parts())
    assert list(own_server.root.glob("[!.]*")) == []


def test_a_server_that_is_down_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTP_RETRIES", "2")
    store = repository("ftp://u:secret@127.0.0.1:1/")
    assert refusal(store.list_artifacts) == "TEMPORARILY_UNAVAILABLE"


# --- faults of any server ------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OtherServer]:
    """A server with the handler, and the permissions, that the test asks for."""
    handler, *more = getattr(request, "param", (FTPHandler,))
    with other_server(tmp_path / "root", handler, *more) as server:
        yield server
        wait_until(lambda: server.connections() == 0)  # whatever happened, all are closed


class Counting(FTPHandler):
    """Counts what it is asked."""

    asked: list[str]
    faults: list[str]  # answers to the next STOR commands

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        type(self).asked.append(cmd)
        if cmd == "STOR" and type(self).faults:
            self.respond(type(self).faults.pop(0))
        else:
            super().pre_process_command(line, cmd, arg)


def counting(server: OtherServer, *faults: str) -> list[str]:
    handler: Any = server.server.handler
    handler.asked, handler.faults = [], list(faults)
    return handler.asked


@pytest.mark.parametrize("other", [(Counting,)], indirect=True)
@pytest.mark.parametrize("answer", ["450 busy", "421 too many connections", "426 broken"])
def test_what_may_pass_is_tried_again(other: OtherServer, tmp_path: Path, answer: str) -> None:
    asked = counting(other, answer, answer)
    repository(other.uri).log_artifact(str(make_file(tmp_path)))
    assert asked.count("STOR") == 3
    assert [path.name for path in other.root.iterdir()] == ["model.pkl"]


@pytest.mark.parametrize("other", [(Counting,)], indirect=True)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("550 no", "PERMISSION_DENIED"),
        ("552 No space left", "ABORTED"),
        ("553 no", "PERMISSION_DENIED"),
    ],
)
def test_what_will_not_pass_is_not(
    other: OtherServer, tmp_path: Path, answer: str, expected: str
) -> None:
    asked = counting(other, *[answer] * 9)
    store, file = repository(other.uri), make_file(tmp_path)
    assert refusal(lambda: store.log_artifact(str(file))) == expected
    assert asked.count("STOR") == 1


@pytest.mark.parametrize("other", [(Counting,)], indirect=True)
def test_a_refused_login_is_not_tried_again(other: OtherServer, tmp_path: Path) -> None:
    asked = counting(other)
    store, file = repository(other.uri.replace(PASSWORD, "wrong")), make_file(tmp_path)
    for action in (lambda: store.log_artifact(str(file)), store.list_artifacts):
        assert refusal(action) == "PERMISSION_DENIED"
    assert asked.count("PASS") == 2


@pytest.mark.parametrize("other", [(Counting, "elr")], indirect=True)
def test_who_may_only_read_is_told_at_once(other: OtherServer, tmp_path: Path) -> None:
    (other.root / "f").write_text("x")
    asked = counting(other)
    store, file = repository(other.uri), make_file(tmp_path)
    assert refusal(lambda: store.log_artifact(str(file), "a/b/c")) == "PERMISSION_DENIED"
    assert asked.count("MKD") == 1  # MLflow's own store asks without end
    assert refusal(lambda: store.delete_artifacts("f")) == "PERMISSION_DENIED"
    assert listed(store) == [("f", False, 1)]


class Losing(DTPHandler):
    """Loses the last bytes of what it receives, and says that all is well."""

    def close(self) -> None:
        if self.receive and self.file_obj and not self.file_obj.closed:
            self.file_obj.truncate(max(self.file_obj.tell() - 5, 0))
        super().close()


class LosingHandler(Counting):
    dtp_handler = Losing


@pytest.mark.parametrize("other", [(LosingHandler,)], indirect=True)
def test_a_file_that_arrives_damaged_does_not_get_its_name(
    other: OtherServer, tmp_path: Path
) -> None:
    asked = counting(other)
    store, file = repository(other.uri), make_file(tmp_path)
    assert refusal(lambda: store.log_artifact(str(file))) == "DATA_LOSS"
    assert asked.count("STOR") == 4
    assert list(other.root.iterdir()) == []


class Flipping(DTPHandler):
    """Flips a bit of what it receives, as often as the test asks for."""

    def recv(self, size: int) -> bytes:
        data: bytes = super().recv(size)
        if data and self.cmd_channel.flips:
            self.cmd_channel.flips.pop()
            return data[:-1] + bytes([data[-1] ^ 1])
        return data


class Checking(Counting):
    """Offers the commands for checksums that the test asks for, in the ways of other servers."""

    dtp_handler = Flipping
    offers: ClassVar[list[str]] = []
    flips: ClassVar[list[int]] = []
    proto_cmds: ClassVar = FTPHandler.proto_cmds | {
        name: {"perm": "r", "auth": True, "arg": True, "help": ""}
        for name in ("XCRC", "XSHA256", "HASH")
    }

    def ftp_FEAT(self, line: str) -> None:  # noqa: N802
        self._extra_feats = [*self._extra_feats, *self.offers]
        super().ftp_FEAT(line)

    def ftp_XCRC(self, path: str) -> None:  # noqa: N802
        self.respond(f"250 XCRC {zlib.crc32(Path(path).read_bytes()):X}.")

    def ftp_XSHA256(self, path: str) -> None:  # noqa: N802
        self.respond("550 not this one")

    def ftp_HASH(self, path: str) -> None:  # noqa: N802
        content = Path(path).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        self.respond(f"213 SHA-256 0-{len(content)} {found} {path}")


CHOICES = [  # what a server offers, and what it is asked after an upload
    (["XSHA256", "HASH", "XCRC"], ["XCRC"]),
    (["HASH"], ["HASH"]),
    (["HASH", "XSHA256"], ["XSHA256", "HASH"]),
    ([], []),
]


@pytest.mark.parametrize("other", [(Checking,)], indirect=True)
@pytest.mark.parametrize(("offers", "expected"), CHOICES)
def test_the_cheapest_checksum_that_a_server_offers_is_compared(
    other: OtherServer, tmp_path: Path, offers: list[str], expected: list[str]
) -> None:
    asked = counting(other)
    handler: Any = other.server.handler
    handler.offers, handler.flips = offers, []
    repository(other.uri).log_artifact(str(make_file(tmp_path)))
    assert [one for one in asked if one in {"XCRC", "XSHA256", "HASH"}] == expected
    assert asked.count("STOR") == 1


@pytest.mark.parametrize("other", [(Checking,)], indirect=True)
@pytest.mark.parametrize("offers", [["XCRC"], ["HASH"]])
def test_a_bit_that_is_flipped_on_the_way_is_found(
    other: OtherServer, tmp_path: Path, offers: list[str]
) -> None:
    asked = counting(other)
    handler: Any = other.server.handler
    handler.offers, handler.flips = offers, [1]
    file, store = make_file(tmp_path), repository(other.uri)
    store.log_artifact(str(file))  # sent again
    assert asked.count("STOR") == 2
    assert (other.root / file.name).read_bytes() == file.read_bytes()
    (other.root / file.name).unlink()
    handler.flips = [1] * 10**5
    assert refusal(lambda: store.log_artifact(str(file))) == "DATA_LOSS"
    assert list(other.root.iterdir()) == []


def test_our_own_server_tells_what_came_and_not_what_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flipped(Flipping, Receiver):
        """Our own data connection, with the fault."""

    session: Any = type("Session", (FtpSession,), {"dtp_handler": Flipped, "flips": [1]})
    monkeypatch.setattr(session, "digests", Digests())
    with other_server(tmp_path / "root", session) as server:
        incoming(server.root).mkdir()
        file, store = make_file(tmp_path), repository(server.uri)
        store.log_artifact(str(file))
        assert session.flips == []
        assert (server.root / file.name).read_bytes() == file.read_bytes()
        session.flips = [1] * 10**5
        assert refusal(lambda: store.log_artifact(str(file))) == "DATA_LOSS"


def test_our_own_server_does_not_wait_after_what_was_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ftp_uploads, "SETTLE_SECONDS", 10**6)
    monkeypatch.setenv("FTP_TRANSFER_SECONDS", "1")
    monkeypatch.setenv("FTP_RETRIES", "0")
    session = type("Session", (FtpSession,), {"digests": Digests()})
    with other_server(tmp_path / "root", session) as server:
        incoming(server.root).mkdir()
        store = repository(server.uri)
        for name, size in (("empty", 0), ("large", 3_000_000)):
            store.log_artifact(str(make_file(tmp_path, name, size)))
            assert (server.root / name).stat().st_size == size


class Unannounced(Counting):
    """Does not know ALLO."""

    def ftp_ALLO(self, line: str) -> None:  # noqa: N802
        self.respond(f"502 no {line}")


@pytest.mark.parametrize("other", [(Unannounced,)], indirect=True)
def test_a_server_need_not_know_how_sizes_are_announced(other: OtherServer, tmp_path: Path) -> None:
    asked = counting(other)
    repository(other.uri).log_artifact(str(make_file(tmp_path)))
    assert asked.count("ALLO") == asked.count("STOR") == 1
    assert (other.root / "model.pkl").is_file()


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("XCRC", "250 0A1B2C3D", "0a1b2c3d"),
        ("XCRC", "250-Computing CRC32 digest\n250 A1B2C3D", "0a1b2c3d"),
        ("XCRC", '250 XCRC is "0xA1B2C3D".', None),
        ("XCRC", "250 XCRC Ok: 0xA1B2C3D.", "0a1b2c3d"),
        ("XCRC", "250", None),
        ("XCRC", "250 " + "a" * 64, None),
        ("XCRC", "250 no idea", None),
        ("XSHA256", "250 " + "A" * 64, "a" * 64),
        ("HASH", f"213 SHA-256 0-9 {'b' * 64} a b", "b" * 64),
        ("HASH", f"213 SHA-1 0-9 {'b' * 40} a", None),
    ],
)
def test_checksums_are_read_as_servers_tell_them(
    command: str, answer: str, expected: str | None
) -> None:
    assert told(command, answer) == expected


class Cutting(DTPHandler):
    """Ends the first two downloads in the middle."""

    use_sendfile = lambda self: False  # noqa: E731
    ac_out_buffer_size = 65536

    def send(self, data: bytes) -> int:
        sent: int = super().send(data)
        if self.cmd_channel.cuts and self.tot_bytes_sent > 1_000_000:
            self.cmd_channel.cuts.pop()
            self.close()
            self.cmd_channel.close()
        return sent


class CuttingHandler(Counting):
    dtp_handler = Cutting
    cuts: ClassVar = [1, 2]


@pytest.mark.parametrize("other", [(CuttingHandler,)], indirect=True)
def test_a_download_that_is_cut_off_comes_whole(other: OtherServer, tmp_path: Path) -> None:
    asked = counting(other)
    (other.root / "f").write_bytes(os.urandom(5_000_000))
    came = Path(repository(other.uri).download_artifacts("f", str(tmp_path)))
    assert came.read_bytes() == (other.root / "f").read_bytes()
    assert asked.count("RETR") == 3
    assert [path for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_download_goes_on_where_it_was_if_it_is_the_same_file(
    server: Server, tmp_path: Path
) -> None:
    content = os.urandom(4_000_000)
    (server.root / "resumed").write_bytes(content)
    with (tmp_path / "came").open("w+b") as came:
        came.write(content[:3_000_000])
        with Link(Address.parse(server.uri), Limits.load()) as link:
            link.do(lambda session: session.get("/resumed", came))
            came.seek(0)
            assert came.read() == content
            assert "bytes=1000000 " in (server.folder / "log").read_text()  # only the rest came
            came.truncate(0)
            came.seek(0)
            came.write(b"of another file" * 1000)
            link.do(lambda session: session.get("/resumed", came))  # noticed, and begun again
            came.seek(0)
            assert came.read() == content


class Old(Counting):
    """A server as they were before MLSD, MLST, SIZE and checksums."""

    proto_cmds: ClassVar = {
        name: what
        for name, what in FTPHandler.proto_cmds.items()
        if name not in {"MLSD", "MLST", "SIZE", "FEAT", "EPSV"}
    }


@pytest.mark.parametrize("other", [(Old,)], indirect=True)
def test_an_old_server_will_do(other: OtherServer, tmp_path: Path) -> None:
    counting(other)
    store, file = repository(other.uri + "top"), make_file(tmp_path, "a b é", 10)
    store.log_artifact(str(file), "x")
    assert listed(store) == [("x", True, None)]
    assert listed(store, "x") == [("x/a b é", False, None)]
    assert listed(store, "x/a b é") == []
    assert listed(store, "none") == []
    assert Path(store.download_artifacts("x")).joinpath("a b é").read_bytes() == file.read_bytes()
    assert refusal(lambda: store.download_artifacts("x/none")) == "RESOURCE_DOES_NOT_EXIST"
    store.delete_artifacts("x")
    assert list(other.root.iterdir()) == []


class Vanishing(Counting):
    """Its folder is deleted just before the first file comes."""

    def ftp_STOR(self, file: str, mode: str = "w") -> object:  # noqa: N802
        if type(self).asked.count("STOR") == 1:
            Path(file).parent.rmdir()
        return super().ftp_STOR(file, mode)


@pytest.mark.parametrize("other", [(Vanishing,)], indirect=True)
def test_a_folder_that_is_deleted_meanwhile_is_made_again(
    other: OtherServer, tmp_path: Path
) -> None:
    counting(other)
    repository(other.uri).log_artifact(str(make_file(tmp_path)), "run/artifacts")
    assert (other.root / "run/artifacts/model.pkl").is_file()


class Slow(DTPHandler):
    """Sends little at a time."""

    use_sendfile = lambda self: False  # noqa: E731
    ac_out_buffer_size = 8192

    def send(self, data: bytes) -> int:
        time.sleep(0.4)
        return int(super().send(data[:8192]))


class SlowHandler(FTPHandler):
    dtp_handler = Slow


@pytest.mark.parametrize("other", [(SlowHandler,)], indirect=True)
def test_a_slow_server_is_not_one_that_hangs(
    other: OtherServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTP_TRANSFER_SECONDS", "2.5")
    monkeypatch.setenv("FTP_RETRIES", "0")
    (other.root / "f").write_bytes(os.urandom(8 * 8192))  # takes 3.2 s
    came = Path(repository(other.uri).download_artifacts("f", str(tmp_path)))
    assert came.read_bytes() == (other.root / "f").read_bytes()


# --- through the MLflow server -------------------------------------------------------------------


def call(
    settings: Settings, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    with closing(HTTPConnection(HOST, settings.mlflow_tracking_port, timeout=60)) as connection:
        connection.request(method, "/api/2.0/mlflow-artifacts/artifacts" + path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_mlflow_server_stores_lists_returns_and_deletes(services: Settings) -> None:
    name, content = "store test/a 'b' é.bin", os.urandom(100_000)
    assert call(services, "PUT", "/" + quote(name), content)[0] == 200
    _, answer = call(services, "GET", "?path=" + quote("store test"))
    assert json.loads(answer)["files"] == [
        {"path": "a 'b' é.bin", "is_dir": False, "file_size": 100_000}
    ]
    assert call(services, "GET", "/" + quote(name)) == (200, content)
    assert call(services, "DELETE", "/" + quote("store test"))[0] == 200
    assert call(services, "GET", "/" + quote(name))[0] == 404


def test_the_mlflow_server_refuses_what_leaves_the_store(services: Settings) -> None:
    for path in ("/a/../../b", "/%2e%2e/a", "//etc/passwd", "/x" * 1000):
        status, answer = call(services, "PUT", path, b"x")
        assert status in {400, 404}, answer
    assert call(services, "DELETE", "/.")[0] in {400, 404}
    call(services, "PUT", "/breaks/kept", b"x")
    call(services, "PUT", "/breaks/a%0D%0ADELE%20breaks/kept", b"x")  # MLflow escapes the breaks
    assert call(services, "GET", "/breaks/kept") == (200, b"x")
    assert call(services, "GET", "")[0] == 200


def test_mlflow_gc_leaves_nothing_of_a_deleted_run(
    services: Settings, services_folder: Path, tmp_path: Path
) -> None:
    client = MlflowClient(services.tracking_uri)
    experiment = client.create_experiment(f"gc {time.time_ns()}")
    runs = [client.create_run(experiment).info.run_id for _ in range(2)]
    for run in runs:
        client.log_artifact(run, str(make_file(tmp_path, "f", 1000)), "deep/er")
    client.delete_run(runs[0])
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri",
         f"sqlite:///{services_folder}/mlflow/mlflow.db", "--run-ids", runs[0]],
        env=os.environ | {"MLFLOW_TRACKING_URI": services.tracking_uri},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    store = services_folder / "ftp" / experiment
    assert [path.name for path in store.iterdir()] == [runs[1]]
    with ftplib.FTP(timeout=10) as session:
        session.connect(HOST, services.ftp_port)
        session.login(services.ftp_user_name, services.ftp_user_pass.get_secret_value())
        came = io.BytesIO()
        session.retrbinary(f"RETR /{experiment}/{runs[1]}/artifacts/deep/er/f", came.write)
    assert len(came.getvalue()) == 1000
