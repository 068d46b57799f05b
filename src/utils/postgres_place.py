"""Where the local PostgreSQL keeps its data and programs, and the account it runs as."""

import os
import pwd
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import RecArenaError
from utils.postgres_programs import programs_for, succeeds

ACCOUNT = "nobody"


@dataclass(frozen=True)
class Place:
    """A folder that the server's account can reach.

    The data are in `base/data`. `account` holds the arguments that make `subprocess` change to
    that account; it is empty when we are an ordinary user.
    """

    base: Path
    account: dict[str, Any]

    @property
    def data(self) -> Path:
        """The folder of the cluster."""
        return self.base / "data"

    @cached_property
    def programs(self) -> Path:
        """The folder of `initdb` and `pg_ctl`, which the account can run."""
        return programs_for(self.base, self.account)

    def give(self, path: Path) -> None:
        """Make the server's account the owner of a file or folder of ours."""
        if self.account:
            os.chown(path, self.account["user"], self.account["group"])


def find_place(folder: Path) -> Place | None:
    """Where the server that was once made for this folder is, or None when there is none."""
    base = find_base(folder)
    if not (base / "data" / "PG_VERSION").exists():
        return None
    return Place(base, server_account())


def find_base(folder: Path) -> Path:
    """The folder of all that belongs to the server of this folder: itself, or one elsewhere."""
    return _pointed_at(folder) or folder


def make_place(folder: Path) -> Place:
    """Make or find the place of the server of this folder.

    PostgreSQL refuses to run as root, so root drops to `nobody`. Where `nobody` cannot go (a
    clone below /root, say), data and programs are put below /var/tmp, and the file `location`
    in the folder tells where; no folder of the user's changes its mode.

    Raises RecArenaError when the account or an older cluster cannot be used.
    """
    account = server_account()
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if new:
        folder.chmod(0o711 if account else 0o700)  # the account passes; the data are its own
    base = find_base(folder)
    if not _can_enter(base, account):
        if (base / "data").exists():
            raise RecArenaError(
                f"{base}: user {ACCOUNT}, who runs PostgreSQL for root, can no longer get there; "
                "let others pass through its parent folders again (chmod o+x)"
            )
        base = _elsewhere(folder)
    return Place(base, account)


def server_account() -> dict[str, Any]:
    """The `subprocess` arguments that drop root's privileges; none for an ordinary user."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise RecArenaError(
            f"PostgreSQL does not run as root and there is no user {ACCOUNT}; "
            "run as an ordinary user"
        ) from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _pointed_at(folder: Path) -> Path | None:
    """The place elsewhere that the folder's pointer file tells of."""
    try:
        base = Path((folder / "location").read_text().strip())
        owner = Path((base / "belongs-to").read_text().strip())
    except FileNotFoundError:
        return None
    if owner != folder and (owner / "location").exists():
        return None  # this folder is a copy; the server belongs to the original
    return base


def _elsewhere(folder: Path) -> Path:
    """Make a place that everybody can pass through, and point to it from the folder."""
    base = Path(tempfile.mkdtemp(prefix="recarena-", dir="/var/tmp"))
    base.chmod(0o711)
    (base / "belongs-to").write_text(f"{folder}\n")
    (folder / "location").write_text(f"{base}\n")
    return base


def _can_enter(folder: Path, account: dict[str, Any]) -> bool:
    """Whether the server's account gets into a folder, found out by trying."""
    command = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)]
    return succeeds(command, account)
