"""A copy of the project to run commands in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
NOT_COPIED = (".git", ".venv", ".recarena", "__pycache__", ".*_cache", ".work")
FOREIGN = {"DATASET", "DB_PORT", "FTP_PORT", "MLFLOW_TRACKING_PORT", "MAKEFLAGS", "MAKELEVEL"}


def copy_project(folder: Path) -> Path:
    """A copy of the project at `folder`, with its environment and without data sets."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
    shutil.rmtree(folder / "data")
    (folder / "data").mkdir()
    (folder / ".venv").symlink_to(BIN.parent)
    for name in ("requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        os.utime(folder / name, (0, 0))  # older than the environment, which is not made again
    return folder


def call(folder: Path, command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a shell in a copy of the project."""
    settings = {"PYTHONPATH": str(folder / "src"), "PATH": f"{BIN}:{os.environ['PATH']}"}
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=clean | settings | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
