"""What is in a backup: every file with its size and checksum."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from core.errors import RecArenaError

FILE = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """The list of a backup's files, and what they hold."""

    created: str
    contents: dict[str, Any]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def of(cls, folder: Path, created: str, contents: dict[str, Any]) -> Self:
        """Of all files below a folder."""
        files = {one.relative_to(folder).as_posix(): describe(one) for one in walk(folder)}
        return cls(created, contents, files)

    def write(self, folder: Path) -> None:
        """Write it, after everything else of the backup."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def verified(cls, folder: Path) -> Self:
        """The manifest of a backup whose files are all there, unchanged, and no others.

        Raises RecArenaError naming the first file that is not.
        """
        try:
            found = json.loads((folder / FILE).read_text(encoding="utf-8"))
            manifest = cls(**found)
            listed = dict(manifest.files)
        except FileNotFoundError:
            raise RecArenaError(f"{folder} is no backup: it has no {FILE}") from None
        except (OSError, ValueError, TypeError):
            raise RecArenaError(f"{folder / FILE} is broken; this backup cannot be used") from None
        if manifest.format != FORMAT:
            raise RecArenaError(f"{folder}: a backup of format {manifest.format} is not known here")
        for one in walk(folder):
            name = one.relative_to(folder).as_posix()
            if name != FILE and listed.pop(name, None) != describe(one):
                raise RecArenaError(f"{folder}: {name} has changed since; nothing was done")
        if listed:
            raise RecArenaError(f"{folder}: {min(listed)} is missing; nothing was done")
        return manifest


def summary(manifest: Manifest) -> str:
    """What a backup holds, in a line."""
    found = manifest.contents
    sets = ", ".join(f"{name} ({n:,} ratings)" for name, n in found["data_sets"].items())
    size = sum(one["size"] for one in manifest.files.values()) / (1 << 20)
    return (
        f"{found['runs']:,} runs, {found['artifacts']:,} artifacts, "
        f"{sets or 'no data set'}: {size:,.1f} MiB"
    )


def describe(file: Path) -> dict[str, Any]:
    """Size and checksum of a file."""
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return {"size": file.stat().st_size, "sha256": sha256}


def walk(folder: Path) -> Iterator[Path]:
    """The files below a folder, in order. Raises RecArenaError for anything but a plain file."""
    for one in sorted(folder.rglob("*")):
        if not os.path.lexists(one):  # an upload that has got its name meanwhile
            continue
        if one.is_symlink() or not (one.is_dir() or one.is_file()):
            raise RecArenaError(f"{one}: neither a file nor a folder, so not to be backed up")
        if one.is_file():
            yield one


def copy_tree(source: Path, target: Path, left_out: re.Pattern[str]) -> int:
    """Copy a folder's files but those whose path in it matches; returns how many they are."""
    target.mkdir(mode=0o700, parents=True)
    copied = 0
    for one in walk(source):
        inside = one.relative_to(source)
        if left_out.search(inside.as_posix()):
            continue
        goal = target / inside
        goal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(one, goal)
        copied += 1
    return copied
