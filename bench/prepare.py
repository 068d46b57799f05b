"""Read the data set from the benchmark's database and write it to a file: prepare.py FILE."""

import sys
from pathlib import Path

from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from harness.data import save

if __name__ == "__main__":
    settings = Settings.load()
    found = choose_dataset(settings)
    protocol = EvaluationProtocol.of(settings, found.shown_name)
    save(Path(sys.argv[1]), read_dataset(settings, found, protocol))
