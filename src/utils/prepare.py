"""What must be done before a pipeline's container starts: `python -m utils.prepare`.

Migrates the database, and hands its password to the pipelines in a file on a volume that is
theirs, so that it is in no configuration of a pipeline.
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
    """Write the password where only the account of the pipelines reads it."""
    write_atomically(folder / "postgres_password", settings.postgres_password.get_secret_value())


if __name__ == "__main__":
    main()
