"""Delivering what waits in the outbox: each run once, with its own times, removed when verified."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import RecArenaError, UndeliveredError
from core.settings import Settings
from utils import outbox
from utils.delivery import apply, missing
from utils.outbox import Record
from utils.settling import settled
from utils.tracking import explained, prepare_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

RECORD = "outbox_record"  # tag of a run that was made by a push: the id that it was begun with


def push(settings: Settings, report: Callable[[str], None]) -> int:
    """Deliver all runs of the outbox, one line each; how many were.

    A run goes to the one that was begun for it, also if that was taken for dead since; if the
    tracker does not know it any more, to a new one with the original start. Interrupted anywhere
    and repeated, it makes no second run.

    Raises UndeliveredError if some stay.
    """
    with outbox.locked(settings.outbox, report):
        outbox.sweep(settings.outbox)
        folders = outbox.waiting(settings.outbox)
        if not folders:
            report("the outbox is empty")
            return 0
        staying = [folder for folder in folders if not _delivered(settings, folder, report)]
        if staying:
            raise UndeliveredError(
                f"{len(staying)} of {len(folders)} stay in {settings.outbox}; "
                "run `recarena push` again when the services answer"
            )
        return len(folders)


def _delivered(settings: Settings, folder: Path, report: Callable[[str], None]) -> bool:
    """Whether a record could be delivered; says so, or why not."""
    try:
        record = outbox.read(folder)
        prepare_client(settings)
        with explained(settings.tracking_uri):
            run_id = deliver(settings.tracking_uri, record, folder)
    except RecArenaError as error:
        report(f"stays: {folder.name[:8]}: {error}")
        return False
    report(f"delivered: {record.name}, run {run_id} of {record.experiment}")
    return True


def deliver(uri: str, record: Record, folder: Path) -> str:
    """Write a record to the tracker, verify that all of it is there, and remove it; the run's id.

    Raises RecArenaError naming what did not arrive.
    """
    import mlflow  # noqa: PLC0415 - takes seconds

    mlflow.set_tracking_uri(uri)
    client, files = mlflow.MlflowClient(), folder / "files"
    run_id = _run_of(client, record)
    for entry in record.entries:
        apply(client, run_id, entry, files)
    lacking = [one for entry in record.entries for one in missing(client, run_id, entry, files)]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise RecArenaError(f"{lacking[0]}{more} did not arrive in run {run_id}")
    outbox.remove(folder)
    return run_id


def _run_of(client: "MlflowClient", record: Record) -> str:
    """The run that a record is for: as it was begun, as an earlier push made it, or made now."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        begun = client.get_run(record.id)
        if begun.info.lifecycle_stage == "active":
            return record.id
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    experiment = settled(lambda: _experiment(client, record.experiment))
    for made in client.search_runs([experiment], f"tags.{RECORD} = '{record.id}'"):
        return str(made.info.run_id)
    tags = record.tags | {RECORD: record.id}
    new = client.create_run(experiment, record.started, tags, record.name)
    return str(new.info.run_id)


def _experiment(client: "MlflowClient", name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))
