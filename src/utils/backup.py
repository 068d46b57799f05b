"""A backup of everything that is worth keeping: ratings, runs, accounts, artifacts."""

import importlib.metadata
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from core.errors import RecArenaError
from core.settings import Settings
from table_models.database import loaded
from utils import tracker_database
from utils.backup_manifest import Manifest, copy_tree
from utils.postgres_dump import Dsn, dump
from utils.stores import ACCOUNTS, HIDDEN, Stores

DATABASE = "database.dump"
TRACKER_FILE, TRACKER_DUMP = "mlflow.db", "mlflow.dump"
ARTIFACTS = "artifacts"
PACKED = ".tar"


def backup(
    settings: Settings, stores: Stores, target: Path, report: Callable[[str], None]
) -> Manifest:
    """Write a backup to a new folder, or to one new file if its name ends in .tar.

    Runs may go on meanwhile. The runs are copied before the artifacts, so that every run that
    is FINISHED in the backup has all its files; one in progress is in it as far as it was.

    Raises RecArenaError naming what could not be copied; then there is no `target`.
    """
    with _new(target) as folder:
        report("copying the runs")
        _copy_runs(stores, folder)
        report("copying the artifacts")
        artifacts = copy_tree(stores.artifacts, folder / ARTIFACTS, HIDDEN)
        report("copying the database")
        dump(stores.database, folder / DATABASE)
        contents = {
            "runs": tracker_database.n_runs(_copied_runs(stores, folder)),
            "artifacts": artifacts,
            "data_sets": {one.shown_name: one.ratings for one in loaded(settings)},
            "mlflow": importlib.metadata.version("mlflow"),
        }
        manifest = Manifest.of(folder, datetime.now(UTC).isoformat(timespec="seconds"), contents)
        manifest.write(folder)
    return manifest


def _copy_runs(stores: Stores, folder: Path) -> None:
    if isinstance(stores.tracker, Path):
        tracker_database.copy(stores.tracker, folder / TRACKER_FILE)
    elif stores.tracker is not None:
        dump(stores.tracker, folder / TRACKER_DUMP)
    if stores.accounts.exists():
        tracker_database.copy(stores.accounts, folder / ACCOUNTS)


def _copied_runs(stores: Stores, folder: Path) -> Path | Dsn:
    return folder / TRACKER_FILE if isinstance(stores.tracker, Path) else stores.runs


@contextmanager
def _new(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes the target's name at the end, whole; or is packed into it."""
    if target.exists() or target.is_symlink():
        raise RecArenaError(f"{target} is there already; a backup needs a name of its own")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
        try:
            yield folder
            packed = folder.with_name(folder.name + PACKED)
            if target.suffix == PACKED:
                try:
                    _pack(folder, packed)
                    packed.rename(target)
                finally:
                    packed.unlink(missing_ok=True)
            else:
                folder.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise RecArenaError(f"{error.filename or target}: {error.strerror or error}") from None


def _pack(folder: Path, file: Path) -> None:
    file.touch(mode=0o600)
    with tarfile.open(file, "w") as archive:
        for one in sorted(folder.iterdir()):
            archive.add(one, one.name)


@contextmanager
def opened(source: Path) -> Iterator[Path]:
    """The folder of a backup, unpacked if it is a file.

    Raises RecArenaError if it is neither, or the file is damaged.
    """
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise RecArenaError(f"{source}: there is no such backup")
    with tempfile.TemporaryDirectory(prefix=f".{source.name}.open-", dir=source.parent) as folder:
        try:
            with tarfile.open(source, "r:") as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise RecArenaError(f"{source} is broken ({error}); nothing was done") from None
        yield Path(folder)
