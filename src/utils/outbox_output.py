"""What `recarena run` and `recarena status` say of runs that were not finished."""

from collections.abc import Sequence

from core.errors import RecArenaError, UndeliveredError
from core.settings import Settings
from utils import outbox
from utils.abandoned import close_abandoned
from utils.service_answers import ask_mlflow


def lines(settings: Settings) -> list[str]:
    """What waits in the outbox, and the runs that were ended now because their process is gone."""
    said = []
    kept = len(outbox.waiting(settings.outbox))
    if kept:
        wait = "run waits" if kept == 1 else "runs wait"
        said.append(f"{kept} {wait} in {settings.outbox}; `recarena push` delivers what it can")
    try:
        ask_mlflow(settings, settings.connect_timeout)  # it is not to be waited for
        closed = close_abandoned(settings)
    except RecArenaError:
        return said  # a tracker that does not answer is in the table
    return said + [f"run {run_id} is FAILED now: its process is gone" for run_id in closed]


def tell_what_failed(n: int, unfinished: Sequence[str], kept: Sequence[str]) -> None:
    """Raise what says which of `n` recommenders failed, and which were `kept` in the outbox."""
    failed = [name for name in unfinished if name not in kept]
    said = []
    if failed:
        said.append(f"{len(failed)} of {n} failed: {', '.join(failed)}")
    if kept:
        said.append(f"{len(kept)} of {n} wait in the outbox for `recarena push`: {', '.join(kept)}")
    if failed:
        raise RecArenaError("; ".join(said))
    if kept:
        raise UndeliveredError(said[0])
