"""Download of the data sets from GroupLens."""

import hashlib
import http.client
import shutil
import stat
import struct
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from core.errors import RecArenaError, first_line
from core.paths import DATA
from core.progress import progress
from table_models.datasets import DataSet

TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 18
DAMAGED = (OSError, EOFError, RuntimeError, ValueError, LZMAError, struct.error, zlib.error)
"""What `zipfile` raises of an archive that is damaged, encrypted or packed in a strange way."""


def fetch(dataset: DataSet, data: Path = DATA) -> Path:
    """Download, check and unpack a data set into data/NAME; returns that folder.

    Goes on where an interrupted download stopped. Raises RecArenaError, in one line, if the
    server cannot be reached, the archive is not the published one, or it would write outside.
    """
    target = data / dataset.name
    if dataset.url is None:
        raise RecArenaError(f"{dataset.name} cannot be downloaded; make it with `recarena synth`")
    if target.is_dir():
        return target
    data.mkdir(parents=True, exist_ok=True)
    archive = data / f"{dataset.name}.zip.part"
    try:
        download(dataset.url, archive)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise RecArenaError(
            f"cannot download {dataset.url} ({reason}); try again, or put "
            f"{', '.join(dataset.files.values())} into {target} yourself"
        ) from None
    check_md5(archive, dataset)
    unpack(archive, target, dataset)
    archive.unlink()
    return target


def download(url: str, file: Path) -> None:
    """Download a file, from where an earlier try stopped. Raises OSError if it is not whole."""
    have = file.stat().st_size if file.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - our own https or a test's http
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is here
        raise
    with answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        name = url.rsplit("/", 1)[1]
        with (
            file.open("ab" if resumed else "wb") as out,
            progress(f"downloading {name}", total or None, "bytes") as advance,
        ):
            while chunk := answer.read(CHUNK_BYTES):
                out.write(chunk)
                done += len(chunk)
                advance(len(chunk))
    if done < total:
        raise OSError(f"the server stopped after {done:,} of {total:,} bytes")


def check_md5(archive: Path, dataset: DataSet) -> None:
    """Raises RecArenaError, and removes the file, if it is not the published archive."""
    if dataset.md5 is None:
        return
    with archive.open("rb") as content:
        found = hashlib.file_digest(content, "md5").hexdigest()
    if found != dataset.md5:
        archive.unlink()
        raise RecArenaError(
            f"{dataset.url} has the MD5 sum {found}, not the published {dataset.md5}; the file "
            "was removed: download it again, or see whether GroupLens has changed it"
        )


def unpack(archive: Path, target: Path, dataset: DataSet) -> None:
    """Unpack the archive's one folder to `target`, whole or not at all, and nothing elsewhere.

    Raises RecArenaError if the archive cannot be read, which removes it, or cannot be written.
    """
    try:
        with (
            zipfile.ZipFile(archive) as content,
            tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpacking-") as temporary,
        ):
            for member in content.infolist():
                _check_member(archive, member)
            _check_room(archive, content)
            content.extractall(temporary)
            folder = Path(temporary) / (dataset.folder or dataset.name)
            missing = [name for name in dataset.files.values() if not (folder / name).is_file()]
            if missing:
                raise RecArenaError(f"{dataset.url} lacks {', '.join(missing)}")
            shutil.move(folder, target)
    except (zipfile.BadZipFile, *DAMAGED) as error:
        if isinstance(error, OSError) and error.errno:  # it is this machine that failed
            reason = error.strerror or first_line(error)
            raise RecArenaError(f"{archive} cannot be unpacked: {reason}") from None
        archive.unlink()
        raise RecArenaError(
            f"{dataset.url} is no zip file that can be read ({first_line(error)}); "
            "it was removed, try again"
        ) from None


def _check_member(archive: Path, member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG, stat.S_IFDIR) and path.parts
    if not plain or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise RecArenaError(
            f"{archive} holds {member.filename!a}, which is no plain file or would lie outside its "
            "folder; nothing was unpacked"
        )


def _check_room(archive: Path, content: zipfile.ZipFile) -> None:
    """Raises RecArenaError unless all files have room where the archive is."""
    needed = sum(member.file_size for member in content.infolist())
    free = shutil.disk_usage(archive.parent).free
    if needed > free:
        raise RecArenaError(
            f"{archive} holds {needed:,} bytes, but only {free:,} are free; nothing was unpacked"
        )
