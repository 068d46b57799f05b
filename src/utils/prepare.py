"""What must be done before a pipeline's container starts: `python -m utils.prepare`.

Migrates the database, and hands its password, and the one for MLflow, to the pipelines in files
on a volume that is theirs, so that they are in no configuration of a pipeline.
"""

import os
import sys
from pathlib import Path

from alembic.config import main as alembic

from core.errors import RecArenaError, first_line
from core.settings import Settings
from table_models.database import connect
from utils.service_record import write_atomically

TARGET = "CREDENTIALS"


def main() -> None:
    """Do both. What is wrong goes to standard error in one line, with status 1."""
    try:
        settings = Settings.load()
        connect(settings).close()
        folder = os.environ.get(TARGET)
        if folder:
            hand_over(settings, Path(folder))
    except (RecArenaError, OSError) as error:
        sys.exit(f"error: {first_line(error)}")
    alembic(["upgrade", "head"])


def hand_over(settings: Settings, folder: Path) -> None:
    """Write the passwords where only the account of the pipelines reads them.

    That of MLflow is empty where MLflow asks for none.
    """
    write_atomically(folder / "postgres_password", settings.postgres_password.get_secret_value())
    tracking = settings.mlflow_tracking_password
    write_atomically(
        folder / "mlflow_tracking_password", tracking.get_secret_value() if tracking else ""
    )


if __name__ == "__main__":
    main()
