"""A load in a process of its own, to be met in the middle."""

import subprocess
import sys
from pathlib import Path

from conftest import as_environment
from core.paths import ROOT
from core.settings import Settings


def start(database: Settings, folder: Path) -> subprocess.Popen[str]:
    """Begin to load files in the place of ml-10m."""
    command = [sys.executable, "src/table_models/ml_10m/migrate_data.py", "--replace"]
    return subprocess.Popen(
        [*command, "--from", str(folder)],
        cwd=ROOT,
        env=as_environment(database),
        stderr=subprocess.PIPE,
        text=True,
    )
