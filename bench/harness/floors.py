"""Our work beside the least that it could cost, taking turns: loading, reading, ranking."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from core import ranking
from core.paths import SQL
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from harness.measure import in_turns, run
from harness.plan import ML_10M, Plan
from harness.services import DATASET, ensure_loaded, environment, files, psql, services
from table_models import loader
from table_models.database import connect

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
KEYS = """
select 'alter table ratings add ' || pg_get_constraintdef(oid) || ';' from pg_constraint
where conrelid = 'synthetic.ratings'::regclass and contype in ('p', 'f')
union all
select replace(indexdef, ' INDEX ' || indexname, ' INDEX') || ';' from pg_indexes
where schemaname = 'synthetic' and tablename = 'ratings'
    and indexname not in (select conname from pg_constraint)
"""
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


def same_keys(settings: Settings) -> str:
    """Statements that give the floor's table the very keys and indexes that the loader's has."""
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(KEYS)
        found = [row[0].replace("synthetic.", "") for row in cursor.fetchall()]
    return "\n".join(sorted(found, key=lambda text: "FOREIGN" in text))


def load(plan: Plan) -> Iterator[dict[str, Any]]:
    """Loading against psql's copy of a ready CSV with the same keys and indexes."""
    shape = plan.shape(ML_10M)
    folder = files(plan, shape)
    csv, script, peaks = plan.work / "ratings.csv", plan.work / "floor.sql", []
    csv.write_bytes((folder / "ratings.dat").read_bytes().replace(b"::", b","))
    with services() as settings:
        loader.load(settings, DATASET, folder, replace=True)
        script.write_text(FLOOR_LOAD.format(csv=csv, keys=same_keys(settings)))
        child = [sys.executable, "-c", LOAD_CHILD, folder]
        how = {"log": plan.work / "logs" / "load.log", "environment": environment(settings)}

        def load_once() -> None:
            peaks.append(float(run(child, limit=plan.limit, **how)))

        def floor() -> None:
            psql(settings, plan.limit, "-f", str(script))

        floors, works = in_turns(floor, load_once, plan.repeats)
        drop = "set client_min_messages to error; drop schema floor cascade"
        psql(settings, plan.limit, "-c", drop)
    csv.unlink()
    yield {"shape": str(shape), "floor": floors, "work": works, "peak_mib": peaks}


def read(plan: Plan) -> Iterator[dict[str, Any]]:
    """Database to `Dataset`, against psql's binary COPY of the same query to /dev/null."""
    shape = plan.shape(ML_10M)
    with services() as settings:
        ensure_loaded(settings, plan, shape)
        found = choose_dataset(settings)
        protocol = EvaluationProtocol.of(settings, found.shown_name)
        split = (SQL / "integrated_tables.sql").read_text()
        with closing(connect(settings)) as connection, connection.cursor() as cursor:
            query = cursor.mogrify(split, protocol.query_params()).decode()
        copy = f"copy ({query}) to stdout (format binary)"
        schema = "set search_path to synthetic"
        floors, works = in_turns(
            lambda: psql(settings, plan.limit, "-o", os.devnull, "-c", schema, "-c", copy),
            lambda: read_dataset(settings, found, protocol),
            plan.repeats,
        )
        how = {"log": plan.work / "logs" / "read.log", "environment": environment(settings)}
        peak = float(run([sys.executable, "-c", READ_CHILD], limit=plan.limit, **how))
    yield {"shape": str(shape), "floor": floors, "work": works, "peak_mib": [peak]}


def rank(plan: Plan) -> Iterator[dict[str, Any]]:
    """Top-10 of all users with 128 factors and seen items left out, against the bare product."""
    shape = plan.shape(ML_10M)
    n_users, n_items = shape.users, shape.items
    rng = np.random.default_rng(0)
    users = rng.standard_normal((n_users, 128), dtype=np.float32)
    items = rng.standard_normal((128, n_items), dtype=np.float32)
    pairs = rng.integers(0, n_users, shape.ratings) * n_items
    seen = np.unique(pairs + (n_items * rng.random(shape.ratings) ** 2).astype(int))
    ones = np.ones(len(seen), np.float32)
    exclude = csr_array((ones, (seen // n_items, seen % n_items)), shape=(n_users, n_items))
    everybody = np.arange(n_users, dtype=np.int32)

    def product() -> None:
        """The product alone, the fastest way measured: one BLAS thread in each of two threads."""

        def some(starts: range) -> None:
            block = np.empty((256, n_items), np.float32)
            for start in starts:
                part = users[start : start + 256]
                np.matmul(part, items, out=block[: len(part)])

        with threadpool_limits(1), ThreadPoolExecutor(2) as pool:
            list(pool.map(some, (range(0, n_users, 512), range(256, n_users, 512))))

    def score(who: np.ndarray, out: np.ndarray) -> None:
        np.matmul(users[who], items, out=out)

    def whole() -> None:
        ranking.rank(score, everybody, n_items, 10, exclude=exclude)

    floors, works = in_turns(product, whole, plan.repeats)
    yield {"shape": str(shape), "floor": floors, "work": works}
