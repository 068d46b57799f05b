"""Make code that lies in a folder importable, and known by entry points, as if it were installed.

    python register.py FOLDER GROUP NAME=MODULE:OBJECT...

Images copy the modules that they need instead of installing the project. The folder comes after
the installed packages, so that none of our modules takes the place of a library's.
"""

import sys
import sysconfig
from pathlib import Path

NAME, VERSION = "recarena", "0.1.0"


def register(packages: Path, folder: str, group: str, entries: list[str]) -> None:
    """Write what `importlib.metadata` and `site` read."""
    about = packages / f"{NAME}-{VERSION}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
    lines = [entry.replace("=", " = ", 1) for entry in entries]
    (about / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    (packages / f"{NAME}.pth").write_text(f"{folder}\n")


if __name__ == "__main__":
    register(Path(sysconfig.get_path("purelib")), *sys.argv[1:3], sys.argv[3:])
