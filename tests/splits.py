"""The split by its definition, in Python, to hold the SQL against; and ways to look at both."""

from collections.abc import Callable
from hashlib import md5
from math import ceil
from typing import Any

from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import read_dataset
from table_models.database import loaded

Rating = tuple[int, int, float, int]
Fill = Callable[..., None]
Pair = tuple[int, int]


def read(database: Settings, **protocol: Any) -> Any:
    (source,) = loaded(database)
    return read_dataset(database, source, EvaluationProtocol(source.shown_name, **protocol))


def pairs(dataset: Any, side: str) -> set[tuple[int, int]]:
    rows = getattr(dataset, side)
    users, items = dataset.user_ids.ids[rows.users], dataset.item_ids.ids[rows.items]
    return set(zip(users.tolist(), items.tolist(), strict=True))


def fingerprint(database: Settings, **protocol: Any) -> str:
    return str(read(database, **protocol).fingerprint)


def by_definition(
    rows: list[Rating], protocol: EvaluationProtocol
) -> tuple[list[Rating], list[Rating]]:
    """Train and test of these rows, whose order does not matter."""
    if protocol.split == "last_n":
        left = _newest(rows, protocol.n_held_back)[0] if protocol.n_held_back else rows
        cut = lambda some: _newest(some, protocol.n_test)  # noqa: E731
        train, test = cut(left)
    elif protocol.split == "leave_one_out":
        cut = lambda some: _newest(some, 1)  # noqa: E731
        train, test = cut(rows)
    elif protocol.split == "random":
        shuffled = sorted(rows, key=lambda row: _hash(protocol.split_seed, row))
        cut = lambda some: _deal(some, protocol)  # noqa: E731
        train, test = cut(shuffled)
    else:
        train, test, cut = _by_time(rows, protocol)
    return cut(train) if protocol.split_part == "validation" else (train, test)


def _newest(rows: list[Rating], n: int) -> tuple[list[Rating], list[Rating]]:
    train, test = [], []
    for user in {row[0] for row in rows}:
        own = sorted((row for row in rows if row[0] == user), key=lambda row: (-row[3], -row[1]))
        some = n if len(own) > n else 0
        test += own[:some]
        train += own[some:]
    return train, test


def _hash(seed: int, row: Rating) -> tuple[bytes, int, int]:
    return md5(f"{seed}:{row[0]}:{row[1]}".encode()).digest(), row[0], row[1]


def _deal(rows: list[Rating], protocol: EvaluationProtocol) -> tuple[list[Rating], list[Rating]]:
    test = rows[protocol.fold - 1 :: protocol.n_folds]
    return [row for row in rows if row not in test], test


def _by_time(rows: list[Rating], protocol: EvaluationProtocol) -> Any:
    def cut_at(some: list[Rating], share: float) -> tuple[list[Rating], list[Rating]]:
        if not some:
            return [], []
        stamps = sorted(row[3] for row in some)
        last = stamps[max(ceil(share * len(stamps)), 1) - 1]
        return [r for r in some if r[3] <= last], [r for r in some if r[3] > last]

    if protocol.split_date is None:
        train, test = cut_at(rows, protocol.split_quantile)
        return train, test, lambda some: cut_at(some, protocol.split_quantile)
    begins = 86_400 * (protocol.split_date.toordinal() - 719_163)  # that of 1970-01-01
    train = [row for row in rows if row[3] < begins]
    test = [row for row in rows if row[3] >= begins]
    return train, test, lambda some: cut_at(some, len(train) / len(rows))
