"""An environment of its own for each peer: they are no dependencies of the project."""

import sys
from pathlib import Path

from harness.measure import run
from harness.plan import BENCH, WORK

SECONDS = 1800.0  # to install one


def python_of(peer: str) -> Path:
    """The interpreter that has the peer as `peers/<peer>.txt` pins it; installed if need be.

    Raises FailedError with pip's last words.
    """
    pins = BENCH / "peers" / f"{peer}.txt"
    folder = WORK / "envs" / peer
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if installed.exists() and installed.read_text() == pins.read_text():
        return python
    print(f"installing {peer} in {folder}", flush=True)
    how = {"log": WORK / "logs" / f"install-{peer}.log", "limit": SECONDS}
    run([sys.executable, "-m", "venv", "--clear", folder], **how)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    run([*pip, "-r", pins], **how)
    installed.write_text(pins.read_text())
    return python
