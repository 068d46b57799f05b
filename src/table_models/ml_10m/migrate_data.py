"""Load MovieLens 10M: python src/table_models/ml_10m/migrate_data.py [--from DIR] [--replace]"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # also where it is not installed

from core.errors import RecArenaError
from core.settings import Settings
from table_models.datasets import find
from table_models.loader import load


def main() -> None:
    """Load data/ml-10m, or the folder that is given."""
    parser = argparse.ArgumentParser(description="Load MovieLens 10M into PostgreSQL.")
    parser.add_argument("--from", dest="folder", type=Path, help="folder of the .dat files")
    parser.add_argument("--replace", action="store_true", help="replace it if it is loaded")
    given = parser.parse_args()
    try:
        report = load(Settings.load(), find("ml-10m"), given.folder, replace=given.replace)
    except RecArenaError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    rows = ", ".join(f"{n:,} {table}" for table, n in report.rows.items())
    sys.stdout.write(f"loaded {report.shown_name}: {rows} in {report.seconds:.1f} s\n")


if __name__ == "__main__":
    main()
