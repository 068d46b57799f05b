"""One place of a restore: filled beside what is there, exchanged with it, or put back."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.errors import RecArenaError
from utils.postgres_dump import Dsn, drop, rename, restore_beside

NEW, OLD = "restoring", "replaced"


class Part(Protocol):
    """A place and what is to be there."""

    @property
    def name(self) -> str:
        """What is there, for people."""

    def stage(self) -> None:
        """Bring the new content beside the old."""

    def swap(self) -> None:
        """Exchange them; all or nothing."""

    def undo(self) -> None:
        """Exchange them again."""

    def clear(self) -> None:
        """Remove what is not in its place: the old content, or the new one after `undo`."""


@dataclass(frozen=True)
class DatabasePart:
    """A PostgreSQL database, from a dump."""

    name: str
    dsn: Dsn = field(repr=False)
    source: Path

    @property
    def _names(self) -> tuple[str, str, str]:
        current = str(self.dsn["dbname"])
        return current, f"{current}_{NEW}", f"{current}_{OLD}"

    def stage(self) -> None:
        """Restore the dump as a database of another name."""
        _, new, old = self._names
        drop(self.dsn, old)
        restore_beside(self.dsn, self.source, new)

    def swap(self) -> None:
        """Exchange the names, in one transaction."""
        current, new, old = self._names
        rename(self.dsn, [(current, old), (new, current)])

    def undo(self) -> None:
        """Exchange them again."""
        current, new, old = self._names
        rename(self.dsn, [(current, new), (old, current)])

    def clear(self) -> None:
        """Drop what has another name."""
        _, new, old = self._names
        drop(self.dsn, new)
        drop(self.dsn, old)


@dataclass(frozen=True)
class FilesPart:
    """A file or a folder, from a copy."""

    name: str
    current: Path
    source: Path

    @property
    def _beside(self) -> tuple[Path, Path]:
        new, old = (self.current.with_name(f"{self.current.name}.{how}") for how in (NEW, OLD))
        return new, old

    def stage(self) -> None:
        """Copy it beside its place, as the property of the one whose place it is."""
        new, old = self._beside
        if old.exists() and not self.current.exists():
            raise RecArenaError(
                f"{old} is what an earlier restore moved away before it was killed: "
                f"rename it to {self.current.name}, or remove it"
            )
        self.clear()
        if self.source.is_dir():
            shutil.copytree(self.source, new, copy_function=shutil.copyfile)
            new.chmod(0o700)
        else:
            new.touch(mode=0o600)
            shutil.copyfile(self.source, new)
        _give(new, self.current if self.current.exists() else self.current.parent)

    def swap(self) -> None:
        """Exchange them by renaming."""
        new, old = self._beside
        _exchange(self.current, new, old)

    def undo(self) -> None:
        """Exchange them again."""
        new, old = self._beside
        self.current.rename(new)
        if old.exists():
            old.rename(self.current)

    def clear(self) -> None:
        """Remove what lies beside."""
        for one in self._beside:
            if one.is_dir():
                shutil.rmtree(one)
            else:
                one.unlink(missing_ok=True)


def _exchange(current: Path, new: Path, old: Path) -> None:
    if current.exists():
        current.rename(old)
    try:
        new.rename(current)
    except OSError:
        if old.exists():
            old.rename(current)
        raise


def _give(made: Path, like: Path) -> None:
    """Make files the property of another's owner, which only root can and needs to."""
    owner = like.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        for one in (made, *made.rglob("*")):
            os.chown(one, owner.st_uid, owner.st_gid, follow_symlinks=False)
