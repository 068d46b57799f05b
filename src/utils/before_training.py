"""Checks before training: what a run needs at its end has to be there at its beginning.

Hours of training are not to end in "the disk is full" or "the test set is empty". That the tracker
can be written to is shown by the run itself, which is begun before anything is read.
"""

from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import check_split
from table_models.database import LoadedDataSet
from utils import outbox
from utils.service_answers import ask_mlflow, send_artifact


def check(settings: Settings, source: LoadedDataSet, protocol: EvaluationProtocol) -> None:
    """Make sure of the split, the outbox, the tracker and the artifact store, within seconds.

    Raises RecArenaError naming the first that is not as it has to be, and what to do.
    """
    check_split(settings, source, protocol)
    outbox.check_writable(settings.outbox)
    try:
        ask_mlflow(settings, settings.connect_timeout)
        send_artifact(settings, settings.connect_timeout)
    except RecArenaError as error:
        raise type(error)(
            f"nothing was trained, because its results could not be stored: {error}; "
            "see `recarena status` and `recarena doctor`"
        ) from None
