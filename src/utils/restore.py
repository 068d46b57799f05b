"""Everything back from a backup: all of it or nothing, and over nothing unless told to."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from core.errors import RecArenaError
from core.settings import Settings
from utils import tracker_database
from utils.backup import ARTIFACTS, DATABASE, TRACKER_DUMP, TRACKER_FILE, opened
from utils.backup_manifest import Manifest
from utils.local_services import paused, up
from utils.postgres_dump import filled_tables
from utils.restore_parts import DatabasePart, FilesPart, Part
from utils.stores import ACCOUNTS, HIDDEN, Stores

Report = Callable[[str], None]


def restore(
    settings: Settings, stores: Stores, source: Path, report: Report, *, replace: bool = False
) -> Manifest:
    """Put a backup's content in the place of what the stores hold.

    All of it is checked and copied beside what is there before anything is touched; then the
    places are exchanged, with the local MLflow and FTP server stopped for that moment, and put
    back if one of them cannot be.

    Raises RecArenaError if the backup is broken, a store is not empty and `replace` is not given,
    a run is in progress, or a store cannot be written.
    """
    try:
        with opened(source) as folder:
            report("checking the backup")
            manifest = Manifest.verified(folder)
            _refuse(stores, replace=replace)
            _exchange(stores, _parts(stores, folder), report)
    except OSError as error:
        raise RecArenaError(f"{error.filename or source}: {error.strerror or error}") from None
    if stores.folder is not None:
        up(settings, report, stores.folder)
    return manifest


def _exchange(stores: Stores, parts: list[Part], report: Report) -> None:
    with ExitStack() as staged:
        for part in parts:
            report(f"restoring the {part.name}")
            staged.callback(part.clear)
            part.stage()
        with ExitStack() as moment:
            if stores.folder is not None:
                moment.enter_context(paused(report, stores.folder))
            for file in (stores.tracker, stores.accounts):
                if isinstance(file, Path):
                    tracker_database.close(file)
            swapped = moment.enter_context(ExitStack())
            for part in parts:
                part.swap()
                swapped.callback(part.undo)
            swapped.pop_all()  # all are in place: nothing is to be put back


def _refuse(stores: Stores, *, replace: bool) -> None:
    """Raise RecArenaError if something would be lost that is not meant to be."""
    going = tracker_database.n_in_progress(stores.runs)
    if going:
        raise RecArenaError(f"{going} run(s) are in progress: wait for them, or stop them, first")
    there = {} if replace else _there(stores)
    for what, how in there.items():
        raise RecArenaError(f"there are {what} ({how}); only with --replace they are given up")


def _there(stores: Stores) -> dict[str, str]:
    """What the stores hold already."""
    found = {}
    tables = filled_tables(stores.database)
    if tables:
        found["rows in the database"] = ", ".join(tables[:3])
    runs = tracker_database.n_runs(stores.runs)
    if runs:
        found["runs"] = str(runs)
    if stores.artifacts.exists():
        kept = (one for one in stores.artifacts.iterdir() if not HIDDEN.search(one.name))
        names = sorted(one.name for one in kept if one.is_file() or any(one.rglob("*")))
        if names:
            found["artifacts"] = ", ".join(names[:3])
    return found


def _parts(stores: Stores, folder: Path) -> list[Part]:
    """What is exchanged: everything of the backup with its place."""
    parts: list[Part] = [
        DatabasePart("database", stores.database, folder / DATABASE),
        FilesPart("artifacts", stores.artifacts, folder / ARTIFACTS),
    ]
    if isinstance(stores.tracker, Path):
        parts.append(FilesPart("runs", stores.tracker, _of_kind(folder / TRACKER_FILE)))
    elif stores.tracker is not None:
        parts.append(DatabasePart("runs", stores.tracker, _of_kind(folder / TRACKER_DUMP)))
    elif (folder / TRACKER_FILE).exists() or (folder / TRACKER_DUMP).exists():
        _of_kind(folder / "no file")
    if (folder / ACCOUNTS).exists():
        parts.append(FilesPart("accounts", stores.accounts, folder / ACCOUNTS))
    return parts


def _of_kind(file: Path) -> Path:
    """The file of the runs, if the backup holds them as the tracker wants them."""
    if not file.exists():
        raise RecArenaError(
            "the backup's runs are of another kind of database than the tracker's: set "
            "BACKEND_STORE_URI to what it was"
        )
    return file
