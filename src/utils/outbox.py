"""Runs that could not be delivered, kept whole until `recarena push` delivers them.

A record is a folder `<outbox>/<run id>` with `record.json` and `files/`. It is made under another
name, written to the disk for certain, and renamed, so that there is all of a record or none; it is
removed the other way round.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import RecArenaError, UndeliveredError, first_line
from utils.delivery import Entry
from utils.hard_links import link_or_copy

FORMAT = 1
STALE_SECONDS = 24 * 3600.0  # a record that has been in the making for longer never will be made
PART, GONE = ".part-", ".gone-"


@dataclass(frozen=True)
class Record:
    """A run that waits: as what it was begun, all that it logged, and why it waits.

    Times are milliseconds since 1970; `id` is the run's id in the tracker that it was begun in.
    """

    id: str
    name: str
    experiment: str
    tags: dict[str, str]
    started: int
    entries: list[Entry]
    why: str


def keep(outbox: Path, record: Record, files: Path) -> Path:
    """Put a run and the folder of its files into the outbox; the folder of its record.

    Raises RecArenaError if it cannot be written; then nothing of it stays.
    """
    part, target = outbox / f"{PART}{record.id}", outbox / record.id
    try:
        prepare(outbox)
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(files, part / "files", copy_function=link_or_copy)
        text = json.dumps({"format": FORMAT} | asdict(record), indent=1)
        (part / "record.json").write_text(text, encoding="utf-8")
        for path in [*part.rglob("*"), part]:
            _to_disk(path)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
        _to_disk(outbox)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        said = error.strerror or first_line(error)
        raise RecArenaError(f"OUTBOX={outbox} cannot be written: {said}") from None
    return target


def prepare(outbox: Path) -> None:
    """Make the outbox, which is private, unless it is there."""
    if not outbox.is_dir():
        outbox.mkdir(mode=0o700, parents=True, exist_ok=True)


def check_writable(outbox: Path) -> None:
    """Write a small file to the outbox, and remove it. Raises RecArenaError if that fails."""
    probe = outbox / f"{PART}probe-{os.getpid()}"
    try:
        prepare(outbox)
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        raise RecArenaError(f"OUTBOX={outbox} cannot be written: {error.strerror}") from None


def waiting(outbox: Path) -> list[Path]:
    """The folders of the records that wait, the longest first."""
    with suppress(FileNotFoundError):
        found = [one for one in outbox.iterdir() if one.is_dir() and not one.name.startswith(".")]
        return sorted(found, key=lambda one: (one.stat().st_mtime, one.name))
    return []


def read(folder: Path) -> Record:
    """The record in a folder of the outbox. Raises RecArenaError if there is none to be read."""
    try:
        found: dict[str, Any] = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        version = found.pop("format")
        if version != FORMAT:
            raise RecArenaError(f"{folder}: is of format {version}, which is a newer version's")
        entries = [Entry(**one) for one in found.pop("entries")]
        return Record(entries=entries, **found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecArenaError(f"{folder}: is no record: {first_line(error)}") from None


def remove(folder: Path) -> None:
    """Take a record out of the outbox."""
    gone = folder.with_name(f"{GONE}{folder.name}")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    _to_disk(folder.parent)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(outbox: Path) -> None:
    """Remove what interrupted programs left of records."""
    for one in outbox.iterdir():
        stale = one.name.startswith(PART) and time.time() - one.stat().st_mtime > STALE_SECONDS
        if stale or one.name.startswith(GONE):
            shutil.rmtree(one, ignore_errors=True)


@contextmanager
def locked(outbox: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Have the outbox alone; another who has it is waited for."""
    try:
        prepare(outbox)
        lock = (outbox / ".lock").open("w")
    except OSError as error:
        raise UndeliveredError(f"OUTBOX={outbox} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another `recarena push` to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file unlocks it


def _to_disk(path: Path) -> None:
    """Have the disk hold a file's content, or a folder's names, for certain."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
