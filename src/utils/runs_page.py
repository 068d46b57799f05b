"""Where a person finds the runs in MLflow's UI."""

from core.settings import Settings
from utils.experiment_page import RANKING
from utils.tracking import explained, prepare_client


def runs_page(settings: Settings) -> str:
    """The address of the experiment's runs, ranked; of MLflow itself as long as there are none.

    Raises RecArenaError if MLflow does not answer.
    """
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    client = MlflowClient(settings.tracking_uri)
    with explained(settings.tracking_uri):
        found = client.get_experiment_by_name(settings.experiment_name)
    if found is None:
        return settings.tracking_uri
    query = f"workflowType=machine_learning&viewStateShareKey={RANKING.key}"
    return f"{settings.tracking_uri}/#/experiments/{found.experiment_id}/runs?{query}"
