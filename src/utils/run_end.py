"""How a run ends in MLflow, also when the server is away; until then it says that it is alive."""

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
SILENT_SECONDS = 60.0  # of a run that is taken for dead then


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


def end(run_id: str, status: str, failure: str | None, patience: float) -> None:
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
