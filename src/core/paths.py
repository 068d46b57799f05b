"""Where the project keeps its files; the same tree on a laptop and in a container."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The project's root: the folder of `pyproject.toml`, `alembic.ini`, `.env` and `data/`."""

SQL = ROOT / "src" / "sql"
"""The queries."""

DATA = ROOT / "data"
"""Where a user puts data sets: `data/<dataset>/`."""

LOCAL = ROOT / ".recarena"
"""The local services' data, logs and pid files, and `services.json` while they are up."""

LOCAL_SETTINGS = LOCAL / "services.json"
"""Hosts and ports of the running local services; written by `up`, removed by `down`."""

OUTBOX = "outbox"
"""Below `LOCAL`, unless set otherwise: the folder of the runs that could not be delivered."""
