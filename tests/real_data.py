"""Real data for the tests that compare figures, where there is a copy of it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def real_data() -> Path | None:
    """The folder of ml-latest-small, if there is one."""
    given = os.environ.get("RECARENA_TEST_DATA")
    folder = (Path(given) if given else ROOT / "data") / "ml-latest-small"
    return folder if folder.is_dir() else None
