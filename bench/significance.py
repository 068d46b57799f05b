"""Are the statistics right, and fast enough? Writes bench/SIGNIFICANCE.md, a section a part.

significance.py null         the same recommender with two seeds: how often are they different?
significance.py coverage     how often is the true mean in the 95 % interval?
significance.py time         eleven runs of 70,000 users, from the tracker to the places
significance.py leaderboard  recarena leaderboard with 1,000 runs in the tracker
significance.py              all four
"""

import argparse
import io
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil

from core.dataset import Dataset, IdMap, Interactions
from core.protocol import EvaluationProtocol
from core.settings import Settings
from core.statistics import mean_interval, paired_test
from harness.many_runs import Maker, ndcg
from table_models import synthetic
from utils import local_services
from utils.evaluation import evaluate
from utils.runner import child_environment, load_pipeline

REPORT = Path(__file__).resolve().parent / "SIGNIFICANCE.md"
HEAD = """# Are the statistics right, and fast enough?

Written by `python bench/significance.py`; [docs/statistics.md](../docs/statistics.md) says what is
computed.
"""
JUDGED_BY = ("recall_at_k", "ndcg_at_k")
MOVIES, OF_EACH = 300, 40  # movies, and ratings of each user, as in the README
EVERYBODY = 1_000_000  # users whose mean is the true one
RESAMPLES = 2000  # in the simulations of coverage, for time


def small(seed: int, users: int) -> Dataset:
    """A small synthetic data set, as `recarena synth` writes it, with each user's newest ratings
    as its test set.
    """
    protocol = EvaluationProtocol("synthetic")
    with TemporaryDirectory() as folder:
        synthetic.generate(
            Path(folder) / "data", users=users, movies=MOVIES, ratings=OF_EACH * users, seed=seed
        )
        text = (Path(folder) / "data/ratings.dat").read_text().replace("::", " ")
    ratings = np.array(text.split(), dtype=np.float64).reshape(-1, 4)
    ratings = ratings[np.lexsort((-ratings[:, 1], -ratings[:, 3], ratings[:, 0]))]
    user_ids, item_ids = (IdMap.of(ratings[:, column]) for column in (0, 1))
    raters = user_ids.index(ratings[:, 0])
    rows = Interactions(
        raters,
        item_ids.index(ratings[:, 1]),
        ratings[:, 2].astype(np.float32),
        ratings[:, 3].astype(np.int64),
        len(user_ids),
        len(item_ids),
    )
    age = np.arange(len(raters)) - np.searchsorted(raters, raters)
    return Dataset(
        name="synthetic",
        train=rows.where(age >= protocol.n_test),
        test=rows.where(age < protocol.n_test),
        user_ids=user_ids,
        item_ids=item_ids,
        item_words=[[]] * len(item_ids),
        titles=[""] * len(item_ids),
        fingerprint=str(seed),
    )


def null(trials: int, users: int, names: list[str]) -> str:
    """False positives among pairs of runs that differ by their seed only; new data each time."""
    lines = ["| recommender | metric | pairs | called different at 5 % |", "|---|---|---|---|"]
    protocol = EvaluationProtocol("synthetic")
    for name in names:
        pipeline = load_pipeline(name)
        found: dict[str, list[float]] = {metric: [] for metric in JUDGED_BY}
        for trial in range(trials):
            data = small(trial, users)
            one, other = (
                evaluate(
                    pipeline.recommender(pipeline.params(seed=seed)).fit(data), data, protocol
                ).per_user
                for seed in (2 * trial, 2 * trial + 1)
            )
            for metric, values in found.items():
                values.append(paired_test(one[metric], other[metric], seed=trial).p)
        for metric, values in found.items():
            share = np.mean(np.array(values) < 0.05)
            lines.append(f"| {name} | {metric} | {trials} | {share:.1%} |")
            print(lines[-1], flush=True)
    spread = (0.05 * 0.95 / trials) ** 0.5
    return "\n".join(
        [
            f"Synthetic data of {users} users, {MOVIES} movies and {OF_EACH * users:,} ratings, "
            "new for each pair; default parameters. The goal is "
            f"within 2 points of 5 %; the rate of an exact test varies by {spread:.1%} (standard "
            "deviation) itself.",
            "",
            *lines,
        ]
    )


def population(kind: str) -> np.ndarray:
    """Very many users' values of a metric, whose mean is the true one."""
    rng = np.random.default_rng(7)
    n = EVERYBODY
    relevant = rng.integers(1, 6, n)
    hits = np.minimum(rng.binomial(10, rng.beta(0.5, 9, n)), relevant)
    if kind == "recall_at_k":
        return hits / relevant
    return ndcg(rng, hits, relevant)


def coverage(simulations: int) -> str:
    """How often the interval of a sample of users holds the mean of all users."""
    lines = ["| metric | users | simulations | true mean in the interval |", "|---|---|---|---|"]
    for kind in JUDGED_BY:
        everybody = population(kind)
        true = everybody.mean()
        for n in (200, 1000, 5000):
            rng = np.random.default_rng(n)
            held = 0
            for seed in range(simulations):
                values = rng.choice(everybody, n)
                interval = mean_interval(values, resamples=RESAMPLES, seed=seed)
                held += interval.low <= true <= interval.high
            lines.append(f"| {kind} | {n:,} | {simulations:,} | {held / simulations:.1%} |")
            print(lines[-1], flush=True)
    return "\n".join(
        [
            "Samples of users from a million made-up ones, most of whom have no hit; "
            f"{RESAMPLES:,} resamples. The goal is "
            "93 to 97 %.",
            "",
            *lines,
        ]
    )


@contextmanager
def tracker() -> Iterator[Settings]:
    """A running tracker of our own with an experiment's name that is new; removed afterwards."""
    with TemporaryDirectory(prefix="recarena-bench-") as folder:
        Path(folder).chmod(0o711)
        services = Path(folder) / "services"
        try:
            settings = local_services.up(Settings.load(), print, services)
            yield settings.model_copy(update={"experiment_name": secrets.token_hex(4)})
        finally:
            local_services.wipe(print, services)


def environment(settings: Settings, home: str) -> dict[str, str]:
    """The environment by which a child finds the tracker."""
    return child_environment() | {
        "MLFLOW_TRACKING_HOST": settings.mlflow_tracking_host,
        "MLFLOW_TRACKING_PORT": str(settings.mlflow_tracking_port),
        "EXPERIMENT_NAME": settings.experiment_name,
        "RECARENA_BENCH_CACHE": home,
    }


IN_A_CHILD = """
import json, os, sys, time
from pathlib import Path
from utils import cache
cache.CACHE = Path(os.environ["RECARENA_BENCH_CACHE"])
start = time.perf_counter()
from core.settings import Settings
from utils.run_statistics import placings
from utils.runner import peak_memory_mib
found = placings(Settings.load(), [[run] for run in sys.argv[2:]], sys.argv[1])
seconds = time.perf_counter() - start
print(json.dumps([seconds, time.process_time(), peak_memory_mib()]))
"""


def speed(repeats: int) -> str:
    """Seconds and memory of a process that brings eleven runs' files and compares them all."""
    lines = ["| metric | files | seconds | CPU | peak memory |", "|---|---|---|---|---|"]
    with tracker() as settings, TemporaryDirectory() as home:
        runs = Maker(settings, users=70_000).make_all(11)
        for metric in JUDGED_BY:
            for what in ("brought from the tracker", "here already"):
                taken, worked, peaks = [], [], []
                for repeat in range(repeats):
                    cache = f"{home}/{metric}-{repeat}"
                    for file in Path(cache).glob("statistics/*"):
                        file.unlink()
                    command = [sys.executable, "-c", IN_A_CHILD, metric, *runs]
                    done = subprocess.run(
                        command,
                        env=environment(settings, cache),
                        check=True,
                        stdout=subprocess.PIPE,
                    )
                    seconds, cpu, peak = json.loads(done.stdout)
                    taken.append(seconds)
                    worked.append(cpu)
                    peaks.append(peak)
                shown = [spread_of(taken), spread_of(worked), f"{max(peaks):,.0f} MiB"]
                lines.append(f"| {' | '.join([metric, what, *shown])} |")
                print(lines[-1], flush=True)
    return "\n".join(
        [
            "Eleven runs of 70,000 users: intervals, every run against the best with Holm's "
            "correction, places. A process of its own, its imports included. The goal is 10 s and "
            "1,024 MiB.",
            "",
            *lines,
        ]
    )


def leaderboard(repeats: int, n_runs: int = 1000) -> str:
    """Seconds of the command with very many runs in the tracker."""
    lines = ["| command | first time | again | CPU of it and of MLflow |", "|---|---|---|---|"]
    with tracker() as settings:
        Maker(settings).make_all(n_runs)
        for args in ([], ["--top", "11"], ["--filter", "recommender=BPR"], ["--sort", "recall"]):
            (first, _), *again = (
                timed(settings, ["leaderboard", *args]) for _ in range(repeats + 1)
            )
            shown = " ".join(["recarena leaderboard", *args])
            seconds, worked = (spread_of([*column]) for column in zip(*again, strict=True))
            lines.append(f"| `{shown}` | {first:.2f} s | {seconds} | {worked} |")
            print(lines[-1], flush=True)
    return "\n".join(
        [
            f"{n_runs:,} runs in a real tracker (SQLite, one process), about half of them "
            "comparable, 2,000 users each. The whole command, from its start to its end. The first "
            "time brings the shown runs' files and computes the statistics, which are kept. The "
            "goal is 2 s. The processor's time tells what is left of it on a machine that is busy "
            "with other work.",
            "",
            *lines,
        ]
    )


def timed(settings: Settings, args: list[str]) -> tuple[float, float]:
    """Seconds of a command, and of processors, its own and the tracker's."""
    start, worked = time.perf_counter(), processor_seconds(settings)
    subprocess.run(
        [sys.executable, "-m", "cli", *args],
        env=environment(settings, ""),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start, processor_seconds(settings) - worked


def processor_seconds(settings: Settings) -> float:
    """What our ended children and the running tracker have taken of processors so far."""
    ended = os.times()
    address = (settings.mlflow_tracking_host, settings.mlflow_tracking_port)
    serving = {
        one.pid
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr == address
    }
    times = [psutil.Process(pid).cpu_times() for pid in serving if pid]
    return ended.children_user + ended.children_system + sum(t.user + t.system for t in times)


def spread_of(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f}) s"


def written(title: str, text: str) -> None:
    """Put a part's section in the report, in the place of an earlier one."""
    earlier = REPORT.read_text() if REPORT.exists() else HEAD
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", earlier, flags=re.M | re.S))
    load = os.getloadavg()[0]
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    when = f"{now}, {os.cpu_count()} cores, load average {load:.1f}"
    sections[title] = f"\n{text}\n\nMeasured {when}.\n\n"
    out = io.StringIO()
    out.write(HEAD)
    for name, section in sections.items():
        out.write(f"\n## {name}\n\n{section.strip()}\n")
    REPORT.write_text(out.getvalue())


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="PART", help="null coverage time leaderboard")
    parser.add_argument("--trials", type=int, default=200, help="of null [200]")
    parser.add_argument("--users", type=int, default=500, help="of null [500]")
    parser.add_argument("--of", default="random,BPR", help="recommenders of null [random,BPR]")
    parser.add_argument("--simulations", type=int, default=1000, help="of coverage [1000]")
    parser.add_argument("--repeats", type=int, default=5, help="of time and leaderboard [5]")
    given = parser.parse_args()
    if min(given.trials, given.simulations, given.repeats, given.users) < 1:
        parser.error("at least one of each")
    parts: dict[str, tuple[str, Callable[[], str]]] = {
        "null": (
            f"False positives, {given.trials:,} pairs of runs on {given.users:,} users",
            lambda: null(given.trials, given.users, given.of.split(",")),
        ),
        "coverage": ("Coverage of the 95 % interval", lambda: coverage(given.simulations)),
        "time": ("Time and memory", lambda: speed(given.repeats)),
        "leaderboard": ("The leaderboard", lambda: leaderboard(given.repeats)),
    }
    unknown = set(given.names) - parts.keys()
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(parts)}")
    for name in given.names or parts:
        title, measure = parts[name]
        print(f"== {name}", flush=True)
        written(title, measure())


if __name__ == "__main__":
    main()
