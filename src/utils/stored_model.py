"""The fitted model of a finished run, back from the artifact store."""

from pathlib import Path
from tempfile import TemporaryDirectory

from core.dataset import IdMap
from core.errors import RecArenaError
from core.recommender import Recommender
from core.settings import Settings
from utils.finished_runs import FinishedRun
from utils.model_files import IDS_FILE, model_file, read_ids, unpickle
from utils.service_answers import ask_artifacts
from utils.tracking import explained, prepare_client


def load_model(settings: Settings, run: FinishedRun) -> tuple[Recommender, IdMap, IdMap]:
    """The model of a run, and the maps of its users and its items.

    The file's sha256 is compared with the run's tag before anything of it is unpickled.

    Raises RecArenaError if the run has no model or ids, the model is not the one of the run, or
    the files cannot be reached.
    """
    if not run.model_sha256:
        raise RecArenaError(f"{run} has no tag model_sha256, so its model is not to be trusted")
    with TemporaryDirectory(prefix="recarena-") as folder:
        model, ids = _download(settings, run, [model_file(run.pipeline), IDS_FILE], folder)
        try:
            return unpickle(model, run.model_sha256), *read_ids(ids)
        except RecArenaError as error:
            raise RecArenaError(f"{run}: {error}") from None


def _download(settings: Settings, run: FinishedRun, wanted: list[str], folder: str) -> list[Path]:
    """Local copies of a run's files; of none unless all are there.

    The files are listed first, because MLflow asks again and again for one that is missing.
    """
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    try:
        ask_artifacts(settings, settings.connect_timeout)
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
