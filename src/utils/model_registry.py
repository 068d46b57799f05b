"""The model of a run in MLflow's registry: under its recommender's name, the best one marked.

`best` marks, among the versions of a recommender that can be compared with its newest run (same
data set, split and protocol), the one with the highest NDCG; `best-<data set>` the same for the
newest run on that data set.
"""

import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from utils.delivery import Content, applies, misses
from utils.logged_model import outputs
from utils.model_package import write_identity

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

KIND = "served"
METRIC = "ndcg_at_k"
COMPARABLE = "comparable"  # tag: equal for versions that can be compared
AT_MOST = 1000


def version_tags(dataset: str, sign: str, metrics: Mapping[str, float]) -> dict[str, str]:
    """What a version of a model is found and compared by.

    `sign` is the one that runs share which can be compared (`run_words.comparable`).
    """
    return {"dataset": dataset, COMPARABLE: sign, METRIC: repr(float(metrics[METRIC]))}


def best_of(dataset: str) -> str:
    """The alias of the best version on a data set; MLflow takes letters, digits, - and _."""
    return f"best-{re.sub('[^A-Za-z0-9_-]', '-', dataset)}"


@applies(KIND)
def _served(client: "MlflowClient", run_id: str, content: Content, files: Path) -> None:
    """`content`: `folder` of the package, `name`, and `tags` of the version.

    The run's model is there already (`utils.logged_model`).
    """
    version = _registered(client, run_id) or _register(client, run_id, content, files)
    for alias in ("best", best_of(content["tags"]["dataset"])):
        _mark(client, version, alias)


@misses(KIND)
def _missing_served(
    client: "MlflowClient", run_id: str, content: Content, _files: Path
) -> list[str]:
    return [] if _registered(client, run_id) else [f"version of {content['name']}"]


def _registered(client: "MlflowClient", run_id: str) -> "ModelVersion | None":
    found = client.search_model_versions(f"run_id = '{run_id}'", max_results=1)
    return found[0] if found else None


def _register(client: "MlflowClient", run_id: str, content: Content, files: Path) -> "ModelVersion":
    """Give the run's model its files, and register it."""
    name, (model_id, *_) = content["name"], outputs(client, run_id)
    with TemporaryDirectory(prefix="recarena-model-") as temporary:
        folder = Path(temporary) / "model"
        shutil.copytree(files / content["folder"], folder)
        write_identity(folder, name, run_id, model_id)
        client.log_model_artifacts(model_id, str(folder))
    if not client.search_registered_models(f"name = '{name}'", max_results=1):
        _make(client, name)
    tags = dict(content["tags"])
    return client.create_model_version(name, f"models:/{model_id}", run_id, tags, model_id=model_id)


def _make(client: "MlflowClient", name: str) -> None:
    """Make the registered model, unless another run does so at this moment."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _mark(client: "MlflowClient", version: "ModelVersion", alias: str) -> None:
    """Have an alias point to the best version that can be compared with this one."""
    best = max([_holder(client, version, alias) or _best(client, version), version], key=_order)
    client.set_registered_model_alias(version.name, alias, best.version)


def _holder(client: "MlflowClient", version: "ModelVersion", alias: str) -> "ModelVersion | None":
    """The version that the alias points to, if it can be compared with this one."""
    model = client.get_registered_model(version.name)
    if alias not in model.aliases:
        return None
    holder = client.get_model_version_by_alias(version.name, alias)
    return holder if holder.tags.get(COMPARABLE) == version.tags.get(COMPARABLE) else None


def _best(client: "MlflowClient", version: "ModelVersion") -> "ModelVersion":
    """The best of all that can be compared with this one."""
    query = f"name = '{version.name}' and tags.{COMPARABLE} = '{version.tags[COMPARABLE]}'"
    found: list[Any] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(query, AT_MOST, page_token=token)
        found += page
        token = page.token
        if not token:
            return max([*found, version], key=_order)


def _order(version: "ModelVersion") -> tuple[float, int]:
    """By the metric; of equals the newer one."""
    value = float(version.tags.get(METRIC, "nan"))
    return -math.inf if math.isnan(value) else value, int(version.version)
