"""Measure the checks before training, on the running services; see docs/reliability.md.

python bench/checks.py --repeats 5
"""

import argparse
import statistics
import time

from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset
from utils import before_training

GOAL_SECONDS = 2.0


def seconds() -> float:
    """How long it takes to find the data set and to check what a run needs."""
    settings = Settings.load()
    start = time.perf_counter()
    found = choose_dataset(settings)
    before_training.check(settings, found, EvaluationProtocol.of(settings, found.shown_name))
    return time.perf_counter() - start


def main() -> None:
    """Print each measurement and their median; exits 1 if it is above the goal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, choices=range(1, 101), metavar="1-100")
    taken = [seconds() for _ in range(parser.parse_args().repeats)]
    middle = statistics.median(taken)
    print(f"{', '.join(f'{one:.2f}' for one in taken)} s; median {middle:.2f} s")
    raise SystemExit(middle > GOAL_SECONDS)


if __name__ == "__main__":
    main()
