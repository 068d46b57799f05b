"""Archives that would write elsewhere, or are none: one line, and nothing is left behind."""

import io
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RecArenaError
from table_models.datasets import find
from table_models.fetch import unpack

DATASET = find("ml-10m")
FOLDER = str(DATASET.folder)
NAMES = tuple(DATASET.files.values())
Member = tuple[str, bytes, int]  # name, content, file type


def archive(members: list[Member], *, good: bool = True, method: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as content:
        for name in NAMES if good else ():
            content.writestr(f"{FOLDER}/{name}", b"1::1::5::1\n" * 50)
        for name, data, kind in members:
            member = zipfile.ZipInfo(name)
            member.filename = name
            member.external_attr = (kind | 0o644) << 16
            content.writestr(member, data)
    return made.getvalue()


def outcome(body: bytes, root: Path) -> str:
    """Unpack into root/data; returns what was said, having seen that nothing else was written."""
    data = root / "data"
    data.mkdir()
    file = data / "x.zip.part"
    file.write_bytes(body)
    target = data / DATASET.name
    try:
        unpack(file, target, DATASET)
        said = ""
    except RecArenaError as error:
        said = str(error)
        assert said.isprintable(), "one line"
        assert not target.exists()
    allowed = {file, target}
    assert {path for path in data.iterdir() if path not in allowed} == set(), "no temporary files"
    assert set(root.iterdir()) == {data}, "nothing outside"
    for path in target.rglob("*"):
        assert path.is_dir() or path.is_file()
        assert not path.is_symlink()
    return said


EVIL: dict[str, list[Member]] = {
    "parent": [("../evil", b"x", stat.S_IFREG)],
    "parent within": [(f"{FOLDER}/../../evil", b"x", stat.S_IFREG)],
    "absolute": [("/tmp/evil", b"x", stat.S_IFREG)],
    "backslashes": [("..\\..\\evil", b"x", stat.S_IFREG)],
    "drive": [("C:\\evil", b"x", stat.S_IFREG)],
    "network path": [("\\\\host\\share\\evil", b"x", stat.S_IFREG)],
    "link": [(f"{FOLDER}/link", b"/etc/passwd", stat.S_IFLNK)],
    "through a link": [
        (f"{FOLDER}/link", b"..", stat.S_IFLNK),
        (f"{FOLDER}/link/evil", b"x", stat.S_IFREG),
    ],
    "device": [(f"{FOLDER}/null", b"", stat.S_IFCHR)],
    "pipe": [(f"{FOLDER}/pipe", b"", stat.S_IFIFO)],
    "no name": [("", b"x", stat.S_IFREG)],
    "the folder itself": [(".", b"x", stat.S_IFREG)],
    "terminal escapes": [("../\x1b[31m\u202eevil", b"x", stat.S_IFREG)],
}


@pytest.mark.parametrize("case", EVIL)
def test_evil_members_are_refused(tmp_path: Path, case: str) -> None:
    assert "nothing was unpacked" in outcome(archive(EVIL[case]), tmp_path)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    both = [(f"{FOLDER}/{NAMES[0]}/more", b"x", stat.S_IFREG)]
    assert outcome(archive(both), tmp_path)


def encrypted() -> bytes:
    body = bytearray(archive([]))
    for place in (body.find(b"PK\x03\x04") + 6, body.find(b"PK\x01\x02") + 8):
        body[place] |= 1
    return bytes(body)


def strange_method() -> bytes:
    body = bytearray(archive([]))
    for place in (body.find(b"PK\x03\x04") + 8, body.find(b"PK\x01\x02") + 10):
        body[place] = 77
    return bytes(body)


def damaged() -> bytes:
    body = bytearray(archive([], method=zipfile.ZIP_DEFLATED))
    start = body.find(b"PK\x03\x04") + 60
    body[start : start + 12] = b"\xff" * 12
    return bytes(body)


@pytest.mark.parametrize("make", [encrypted, strange_method, damaged])
def test_archives_that_cannot_be_read(tmp_path: Path, make: Callable[[], bytes]) -> None:
    assert "try again" in outcome(make(), tmp_path)


def test_more_than_there_is_room_for(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    body = bytearray(archive([]))
    place = body.find(b"PK\x01\x02") + 24  # the size, unpacked, that the first entry claims
    body[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=min(free, 2**31)))
        assert "are free; nothing was unpacked" in outcome(bytes(body), tmp_path)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=4))
def test_a_damaged_archive_is_one_line(changes: list[tuple[float, bytes]]) -> None:
    body = bytearray(archive([], method=zipfile.ZIP_DEFLATED))
    for where, content in changes:
        start = int(where * (len(body) - 1))
        body[start : start + len(content)] = content
    with TemporaryDirectory() as folder:
        outcome(bytes(body), Path(folder))
