"""Choose the default parameters on ratings that are no test ratings.

    python bench/tuning/tune.py                   every recommender; writes docs/tuning.md
    python bench/tuning/tune.py SVD MF            these alone; the others' results are kept
    python bench/tuning/tune.py --dataset ml-1m   on another data set that is loaded

A user's newest five ratings, the test set, are not read at all (N_HELD_BACK). Candidates learn
from what is left and are judged by the five ratings before them; and once more one window
further back, by the five before those, for one window of a small data set decides little.

Chosen is not the candidate with the best figure, which owes much to luck, but the one with the
best mean over itself and those one step away in the grid: the middle of the best region.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from grids import GRIDS, Grid

from core.dataset import Dataset
from core.paths import ROOT
from core.progress import progress
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from utils.evaluation import evaluate
from utils.runner import load_pipeline

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
N_TEST = 5
SHOWN_METRICS = ("recall_at_k", "precision_at_k", "ndcg_at_k", "rmse")
WINDOWS = (N_TEST, 2 * N_TEST)  # newest ratings left out: the test set, and one window more


@dataclass
class Candidate:
    """Parameters and what they reached: means over windows and seeds, and the seconds of a fit.

    `smoothed` is the mean of the objective over the candidate and its neighbors in the grid.
    """

    params: dict[str, Any]
    metrics: dict[str, float]
    seconds: float
    smoothed: float = 0.0


@dataclass
class Choice:
    """What was tried of a recommender, and which of it is the default."""

    objective: str
    chosen: dict[str, Any]
    dataset: str
    fingerprints: list[str]
    seeds: int
    candidates: list[Candidate]


def windows(settings: Settings) -> list[tuple[Dataset, EvaluationProtocol]]:
    """The data set once for each window, without the ratings that are left out."""
    found = []
    for held_back in WINDOWS:
        wanted = settings.model_copy(update={"n_held_back": held_back, "n_test": N_TEST})
        source = choose_dataset(wanted)
        protocol = EvaluationProtocol.of(wanted, source.shown_name)
        found.append((read_dataset(wanted, source, protocol), protocol))
    return found


def try_out(name: str, grid: Grid, data: list[tuple[Dataset, EvaluationProtocol]]) -> Choice:
    """Every candidate of a recommender on every window and seed."""
    pipeline = load_pipeline(name)
    seeded = "seed" in pipeline.params.model_fields
    tried = []
    with progress(f"tuning {name}", len(grid.candidates), "candidates") as advance:
        for given in grid.candidates:
            found, seconds = [], []
            for seed, (dataset, protocol) in product(range(grid.seeds), data):
                params = pipeline.params(**given, **({"seed": seed} if seeded else {}))
                start = time.perf_counter()
                model = pipeline.recommender(params).fit(dataset)
                seconds.append(time.perf_counter() - start)
                found.append(evaluate(model, dataset, protocol).metrics)
            shown = [metric for metric in SHOWN_METRICS if metric in found[0]]
            means = {metric: float(np.mean([one[metric] for one in found])) for metric in shown}
            tried.append(Candidate(given, means, float(np.median(seconds))))
            advance(1)
    for position, one in enumerate(tried):
        near = [tried[other].metrics[grid.objective] for other in grid.neighbors(position)]
        one.smoothed = float(np.mean(near))
    choose = min if grid.objective == "rmse" else max
    chosen = choose(tried, key=lambda one: one.smoothed)
    prints = [dataset.fingerprint for dataset, _ in data]
    return Choice(grid.objective, chosen.params, data[0][0].name, prints, grid.seeds, tried)


def table(name: str, choice: dict[str, Any]) -> list[str]:
    """A recommender's candidates as Markdown, best first."""
    sign = 1 if choice["objective"] == "rmse" else -1
    ranked = sorted(choice["candidates"], key=lambda one: sign * one["smoothed"])
    varied = list(ranked[0]["params"])
    metrics = list(ranked[0]["metrics"])
    lines = [
        f"## {name}",
        "",
        f"By {choice['objective']}, {choice['seeds']} seed(s), {len(ranked)} candidates on "
        f"{choice['dataset']}, splits {' and '.join(choice['fingerprints'])}.",
        "",
        f"| {' | '.join(varied)} | {' | '.join(metrics)} | with neighbors | fit s |",
        "|" + "---|" * (len(varied) + len(metrics) + 2),
    ]
    for one in ranked[:SHOWN]:
        values = [str(one["params"][key]) for key in varied]
        figures = [f"{one['metrics'][metric]:.4f}" for metric in metrics]
        cells = [*values, *figures, f"{one['smoothed']:.4f}", f"{one['seconds']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


SHOWN = 12  # candidates of a recommender in the document; all are in results.json
HEAD = """# How the default parameters were chosen

Written by `python bench/tuning/tune.py`, which anyone can run again on a data set that is loaded.
The test ratings (the newest five of each user) are not read: candidates are judged by the five
ratings before them, and once more by the five before those; means are over both windows and over
seeds. Chosen is the first row of each table: the candidate with the best mean over itself and
those one step away in the grid, for the best single figure owes much to luck. These figures serve
to choose; they are not results. Shown are the best twelve candidates of each recommender; all are
in `bench/tuning/results.json`, and a test holds the defaults to it.
"""


def main() -> None:
    """Tune what was asked for and write everything down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*GRIDS, []])
    parser.add_argument("--dataset", default="ml-latest-small")
    given = parser.parse_args()
    data = windows(Settings.load(dataset=given.dataset))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in given.names or GRIDS:
        results[name] = asdict(try_out(name, GRIDS[name], data))
        ordered = {one: results[one] for one in GRIDS if one in results}
        RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {results[name]['chosen']}")
    lines = [HEAD] + [
        line for name in GRIDS if name in results for line in table(name, results[name])
    ]
    (ROOT / "docs/tuning.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
