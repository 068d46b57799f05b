"""Downloads from a server of our own that resumes, cuts off, or sends something evil."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.errors import RecArenaError
from table_models import fetch as fetching
from table_models.datasets import DataSet, find
from table_models.fetch import fetch

NAMES = ("ratings.dat", "movies.dat", "tags.dat")


def archive(*evil: tuple[zipfile.ZipInfo | str, str], names: tuple[str, ...] = NAMES) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as content:
        for name in names:
            content.writestr(f"ml-10M100K/{name}", name * 2000)
        for member, text in evil:
            content.writestr(member, text)
    return made.getvalue()


class Server(ThreadingHTTPServer):
    body = b""
    cut_at: int | None = None
    asked: list[str | None] = []  # noqa: RUF012 - a new list for each server


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(self.server.body):
            self.send_error(416)
            return
        part = self.server.body[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part[: self.server.cut_at])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{made.server_address[1]}/ml-10m.zip"
        monkeypatch.setattr(DataSet, "url", property(lambda _: address))
        yield made
        made.shutdown()
        thread.join()


def serve(server: Server, monkeypatch: pytest.MonkeyPatch, body: bytes) -> DataSet:
    server.body = body
    dataset = find("ml-10m")
    monkeypatch.setitem(dataset.__dict__, "md5", hashlib.md5(body).hexdigest())
    return dataset


def test_download_then_already_there(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = serve(server, monkeypatch, archive())
    assert fetch(dataset, tmp_path) == tmp_path / "ml-10m"
    assert [file.name for file in tmp_path.iterdir()] == ["ml-10m"]
    assert fetch(dataset, tmp_path) == tmp_path / "ml-10m"
    assert len(server.asked) == 1


def test_a_cut_download_is_resumed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = serve(server, monkeypatch, archive())
    server.cut_at = 1000
    with pytest.raises(RecArenaError, match="cannot download") as raised:
        fetch(dataset, tmp_path)
    assert str(raised.value).isprintable()
    assert not (tmp_path / "ml-10m").exists()
    server.cut_at = None
    assert (fetch(dataset, tmp_path) / "tags.dat").is_file()
    assert server.asked == [None, "bytes=1000-"]


def test_a_wrong_checksum_removes_the_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = serve(server, monkeypatch, archive())
    server.body = archive(("ml-10M100K/more", "x"))
    with pytest.raises(RecArenaError, match="MD5"):
        fetch(dataset, tmp_path)
    assert list(tmp_path.iterdir()) == []


def link() -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("ml-10M100K/link")
    member.external_attr = 0o120777 << 16
    return member


@pytest.mark.parametrize("member", ["../evil", "ml-10M100K/../../evil", "/tmp/evil", "..\\evil"])
def test_nothing_is_unpacked_outside(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    refused(
        serve(server, monkeypatch, archive((member, "x"))), tmp_path / "d", "outside its folder"
    )


def test_links_no_zip_and_missing_files(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(serve(server, monkeypatch, archive((link(), "/etc"))), tmp_path / "a", "outside")
    refused(serve(server, monkeypatch, b"<html>"), tmp_path / "b", "no zip file")
    short = archive(names=NAMES[:2])
    refused(serve(server, monkeypatch, short), tmp_path / "c", "lacks tags.dat")


def refused(dataset: DataSet, data: Path, message: str) -> None:
    with pytest.raises(RecArenaError, match=message):
        fetch(dataset, data)
    assert not [path for path in data.parent.rglob("*") if path.name in ("evil", "ml-10m")]


def test_offline_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataSet, "url", property(lambda _: "http://127.0.0.1:1/ml-10m.zip"))
    monkeypatch.setattr(fetching, "TIMEOUT_SECONDS", 1)
    with pytest.raises(RecArenaError, match=r"Connection refused.*put movies.dat") as raised:
        fetch(find("ml-10m"), tmp_path)
    assert str(raised.value).isprintable()
