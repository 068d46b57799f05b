"""A small disk of its own, to be filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int, owner: int | None = None) -> Iterator[Path]:
    """A disk of so many megabytes mounted at a folder, whose files it hides meanwhile.

    The test is skipped where the account may not mount.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = folder.stat()
    hidden = [one.relative_to(folder) for one in folder.rglob("*") if one.is_dir()]
    user = known.st_uid if owner is None else owner
    options = f"size={megabytes}m,mode=0700,uid={user}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root, on Linux, can mount a small disk")
    try:
        for path in hidden:
            (folder / path).mkdir(parents=True, exist_ok=True)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
