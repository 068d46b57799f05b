"""The fitted model of a finished run, back from the artifact store."""

import hashlib
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

from core.dataset import IdMap
from core.errors import RecArenaError, first_line
from core.recommender import Recommender
from core.settings import Settings
from utils.artifacts import IDS_FILE, read_ids
from utils.finished_runs import FinishedRun
from utils.service_answers import ask_artifacts
from utils.tracking import explained, prepare_client

SECONDS = 10.0  # for the artifact store to answer at all


def load_model(settings: Settings, run: FinishedRun) -> tuple[Recommender, IdMap, IdMap]:
    """The model of a run, and the maps of its users and its items.

    The file's sha256 is compared with the run's tag before anything of it is unpickled.

    Raises RecArenaError if the run has no model or ids, the model is not the one of the run, or
    the files cannot be reached.
    """
    if not run.model_sha256:
        raise RecArenaError(f"{run} has no tag model_sha256, so its model is not to be trusted")
    model_file = f"models/{run.pipeline}.pkl"
    with TemporaryDirectory(prefix="recarena-") as folder:
        model, ids = _download(settings, run, [model_file, IDS_FILE], folder)
        try:
            return unpickle(model, run.model_sha256), *read_ids(ids)
        except RecArenaError as error:
            raise RecArenaError(f"{run}: {error}") from None


def unpickle(file: Path, sha256: str) -> Recommender:
    """The pickled recommender in a file that has this checksum.

    Raises RecArenaError, having run nothing of the file, if it has another; and if there is no
    recommender in it.
    """
    with file.open("rb") as pickled:
        found = hashlib.file_digest(pickled, "sha256").hexdigest()
        if found != sha256:
            raise RecArenaError(
                f"{file.name} is not the file that the run left: its sha256 is {found}, "
                f"the tag model_sha256 says {sha256}"
            )
        pickled.seek(0)
        try:
            model = pickle.load(pickled)  # noqa: S301 - the run's own file
        except Exception as error:
            # whatever it is: a model may be of another version of its class or of a library
            why = f"{type(error).__name__}: {first_line(error)}"
            raise RecArenaError(f"{file.name} does not load here ({why}); run it again") from None
    if not isinstance(model, Recommender):
        raise RecArenaError(f"{file.name} holds a {type(model).__name__}, which is no recommender")
    return model


def _download(settings: Settings, run: FinishedRun, wanted: list[str], folder: str) -> list[Path]:
    """Local copies of a run's files; of none unless all are there.

    The files are listed first, because MLflow asks again and again for one that is missing.
    """
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    try:
        ask_artifacts(settings, SECONDS)
    except RecArenaError:
        raise RecArenaError(
            f"MLflow at {settings.tracking_uri} cannot reach its files, the FTP server may be "
            "down; see `recarena status`"
        ) from None
    client = MlflowClient(settings.tracking_uri)
    with explained(settings.tracking_uri):
        there = {one.path for one in client.list_artifacts(run.id, "models")}
        for file in wanted:
            if file not in there:
                raise RecArenaError(
                    f"{run} left no {file}, so it cannot be asked; run {run.pipeline} again"
                )
        return [Path(client.download_artifacts(run.id, file, folder)) for file in wanted]
