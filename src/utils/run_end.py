"""How a run ends in MLflow, also when its process is killed or the server is away.

A run says every few seconds that it is alive. One that has been silent for long, because it was
killed or its machine stopped, is ended as FAILED by the next run that begins.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIVE = "alive_at"  # tag: seconds since 1970
FAILURE = "failure"  # tag: why a run did not finish
BEAT_SECONDS = 10.0
SILENT_SECONDS = 60.0
PATIENCE_SECONDS = 40.0  # a server that was killed is back by then, if it is to come back
ABANDONED = "its process was killed, or its machine stopped: it said nothing for a minute"


@contextmanager
def alive(run_id: str) -> Iterator[None]:
    """Say that a run is alive, as long as the block lasts."""
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    over = threading.Event()
    client = MlflowClient()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            with suppress(Exception):  # a server that is away is the run's own matter
                client.set_tag(run_id, ALIVE, now())

    thread = threading.Thread(target=beat, name="alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def now() -> str:
    """The value of the tag."""
    return str(int(time.time()))


def close_abandoned(experiment: str) -> list[str]:
    """End the experiment's runs whose process is gone; returns their ids.

    A process that lives after all, but could not be heard, ends its run as it should when it comes
    to its end.
    """
    from mlflow import MlflowClient  # noqa: PLC0415

    client, closed = MlflowClient(), []
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        heard = run.data.tags.get(ALIVE)
        if heard and time.time() - float(heard) > SILENT_SECONDS:
            client.set_tag(run.info.run_id, FAILURE, ABANDONED)
            client.set_terminated(run.info.run_id, "FAILED")
            closed.append(run.info.run_id)
    return closed


def mark(
    client: "MlflowClient", run_id: str, status: str, failure: str | None, at: int | None = None
) -> None:
    """End a run `at` a time in milliseconds since 1970, now unless given; again if need be.

    Raises MlflowException if the server does not answer.
    """
    if failure:
        client.set_tag(run_id, FAILURE, failure)
    elif FAILURE in client.get_run(run_id).data.tags:  # it was taken for dead
        client.delete_tag(run_id, FAILURE)
    client.set_terminated(run_id, status, at)


def end(run_id: str, status: str, failure: str | None, patience: float = PATIENCE_SECONDS) -> None:
    """End a run; a server that does not answer is asked again for `patience` seconds.

    Raises MlflowException if it does not answer even then.
    """
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    client, until = MlflowClient(), time.monotonic() + patience
    while True:
        try:
            mark(client, run_id, status, failure)
        except MlflowException:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return
