"""Time, memory and size of a report: python bench/report.py [--runs 11] [--users 70000]

Logs runs with made-up files of that size to an MLflow of the benchmark's own and makes their report
by the command, each time with nothing in the cache of downloads. Writes
bench/.work/results/html-report.json, which `bench/run.py report` takes up.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "bench")]

import numpy as np  # noqa: E402 - found by the path above
import pyarrow as pa  # noqa: E402
from pyarrow import parquet  # noqa: E402

from core.settings import Settings  # noqa: E402
from harness.services import environment, services  # noqa: E402
from utils.runner import pipeline_files  # noqa: E402
from utils.tracking import prepare_client  # noqa: E402

N_ITEMS = 10_677
EPOCHS = 100
GOALS = {"seconds": 15.0, "mib": 1024.0, "mb": 3.0}
Columns = dict[str, np.ndarray]


def per_user(users: int, strength: float, rng: np.random.Generator) -> Columns:
    """What a run with this chance to hit leaves of its users."""
    same = np.random.default_rng(0)
    n_relevant = same.integers(1, 6, users)
    hits = rng.binomial(n_relevant, strength)
    recall = hits / n_relevant
    return {
        "user_id": np.arange(users, dtype=np.int64) * 3,
        "n_relevant": n_relevant,
        "n_train": 15 + np.exp(same.normal(4.3, 1, users)).astype(np.int64),
        "recall_at_k": recall,
        "precision_at_k": hits / 10,
        "ndcg_at_k": recall * rng.random(users),
        "map_at_k": recall * rng.random(users),
        "mrr_at_k": (hits > 0) / rng.integers(1, 11, users),
        "hit_rate_at_k": (hits > 0).astype(float),
        "novelty_at_k": rng.normal(3, 1, users),
    }


def per_item(users: int, strength: float, rng: np.random.Generator) -> Columns:
    """What it leaves of the items."""
    same = np.random.default_rng(1)
    n_train = np.sort(same.pareto(0.9, N_ITEMS) * users / 700).astype(np.int64)
    n_relevant = same.binomial(n_train, 0.02)
    return {
        "movie_id": np.arange(N_ITEMS, dtype=np.int64),
        "n_train": n_train,
        "n_relevant": n_relevant,
        "n_recommended": rng.integers(0, users // 10, N_ITEMS),
        "n_hits": rng.binomial(n_relevant, strength),
    }


def log_runs(settings: Settings, n_runs: int, users: int) -> None:
    """Log finished runs to the settings' experiment."""
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - prepare_client has to come first
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

    client = MlflowClient(settings.tracking_uri)
    home = client.create_experiment(settings.experiment_name)
    names = [*pipeline_files()]
    protocol = {
        "dataset": "synthetic", "n_test": 5, "n_held_back": 0, "k": 10,
        "relevance_threshold": 4.0, "user_num": 0, "user_seed": 0, "split": "last_n",
    }  # fmt: skip
    for place in range(n_runs):
        rng, strength = np.random.default_rng(10 + place), 0.2 / (1 + place / 4)
        columns = per_user(users, strength, rng)
        name = names[place % len(names)]
        tags = {
            "pipeline": name, "dataset": "synthetic", "dataset_schema": "synthetic",
            "fingerprint": "9650664+349390-0123456789abcdef", "git_commit": "0" * 40,
        }  # fmt: skip
        run_id = client.create_run(home, tags=tags).info.run_id
        params = {"factors": 10 + place} | {f"protocol.{n}": v for n, v in protocol.items()}
        values = {n: float(v.mean()) for n, v in columns.items() if n.endswith("_at_k")}
        values |= {"fit_seconds": 3.0 + place, "recommend_seconds": 2.0, "coverage_at_k": 0.1}
        values |= {"peak_memory_mib": 700.0, "n_users_evaluated": users}
        metrics = [Metric(n, v, 0, 0) for n, v in values.items()]
        metrics += [Metric("learning/loss", 1 / (1 + e), 0, e) for e in range(EPOCHS)]
        client.log_batch(
            run_id, metrics, [Param(n, str(v)) for n, v in params.items()], [RunTag("seed", "0")]
        )
        with tempfile.TemporaryDirectory() as folder:
            for file, table in (
                ("per_user", columns),
                ("items", per_item(users, strength, rng)),
            ):
                path = Path(folder) / f"{file}.parquet"
                parquet.write_table(pa.table(table), path, compression="zstd")
            client.log_artifacts(run_id, folder, "evaluation")
        client.set_terminated(run_id)


def make(settings: Settings, folder: Path) -> dict[str, float]:
    """Make the report once, with no file and no statistics kept from before; what that took."""
    shutil.rmtree(ROOT / ".recarena/cache", ignore_errors=True)
    out = folder / "report.html"
    command = [sys.executable, "-m", "cli", "report", "--out", str(out)]
    told = environment(settings) | {"EXPERIMENT_NAME": settings.experiment_name}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=told)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit("the report failed")
    page = out.read_text()
    if len(re.findall(r"<svg ", page)) < 7 or "Not shown" in page:
        sys.exit("the report is not whole")
    return {
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "mib": used.ru_maxrss / 1024,
        "mb": out.stat().st_size / 1e6,
    }


def table(found: dict[str, Any]) -> str:
    """The section of the results."""
    units = {"seconds": "s", "cpu": "s", "mib": "MiB", "mb": "MB"}
    said = {
        "seconds": "`recarena report`, from start to end, downloads included",
        "cpu": "of that, processor time",
        "mib": "most memory",
        "mb": "the file",
    }
    lines = [
        "## Report",
        "",
        f"{found['runs']} runs of {found['users']:,} judged users and {N_ITEMS:,} items; medians "
        f"of {found['repeats']}, with {os.cpu_count()} cores, load average before "
        f"{found['load']:.1f}.",
        "",
        "| what | measured | goal: under | |",
        "|---|---|---|---|",
    ]
    for name, text in said.items():
        value, goal, unit = found[name], GOALS.get(name), units[name]
        aim = f"{goal:,.0f} {unit}" if goal else "-"
        met = "" if not goal else "met" if value < goal else "missed"
        digits = 2 if name == "mb" else 0 if name == "mib" else 1
        lines.append(f"| {text} | {value:,.{digits}f} {unit} | {aim} | {met} |")
    if found["load"] > (os.cpu_count() or 1):
        lines += [
            "",
            "Other work had more processes ready than there are cores: not a quiet machine.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--users", type=int, default=70_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if min(given.runs, given.users, given.repeats) < 1:
        parser.error("--runs, --users and --repeats take 1 or more")
    load = os.getloadavg()[0]
    with services() as settings, tempfile.TemporaryDirectory() as folder:
        own = settings.model_copy(update={"experiment_name": f"report-{time.time_ns()}"})
        log_runs(own, given.runs, given.users)
        times = [make(own, Path(folder)) for _ in range(given.repeats)]
    found: dict[str, Any] = {
        name: statistics.median(one[name] for one in times) for name in times[0]
    }
    found |= {"runs": given.runs, "users": given.users, "repeats": given.repeats, "load": load}
    found["markdown"] = table(found)
    target = ROOT / "bench/.work/results/html-report.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=2) + "\n")
    print(found["markdown"])


if __name__ == "__main__":
    main()
