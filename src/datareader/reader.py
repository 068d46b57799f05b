"""The one way from the database to a `Dataset`: every recommender learns from these rows."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dataset import Dataset, IdMap, Interactions, RatingScale
from core.errors import RecArenaError
from core.paths import SQL
from core.protocol import EvaluationProtocol, remedy
from core.settings import Settings
from datareader.binary_copy import read_columns
from datareader.session import reading
from table_models.database import LoadedDataSet, loaded
from table_models.datasets import find

COLUMNS = (
    ("user_id", "i4"),
    ("movie_id", "i4"),
    ("rating", "f4"),
    ("timestamp", "i8"),
    ("is_test", "?"),
)


def choose_dataset(settings: Settings) -> LoadedDataSet:
    """The loaded data set that the settings name, or the only one that there is.

    Raises RecArenaError saying what to load or to name.
    """
    present = {one.name: one for one in loaded(settings)}
    if settings.dataset is None:
        if len(present) == 1:
            return next(iter(present.values()))
        if not present:
            raise RecArenaError("no data set is loaded; run `recarena load DATASET` first")
        raise RecArenaError(f"say which data set with DATASET or --dataset: {', '.join(present)}")
    wanted = find(settings.dataset).name
    if wanted not in present:
        raise RecArenaError(f"{wanted} is not loaded; run `recarena load {wanted}` first")
    return present[wanted]


def check_split(settings: Settings, source: LoadedDataSet, protocol: EvaluationProtocol) -> None:
    """Make sure, without reading the data set, that some user has enough ratings for the split.

    Raises RecArenaError, as reading would, if the test set would be empty or nothing is there.
    """
    needed = {"last_n": protocol.n_test + 1, "leave_one_out": 2}.get(protocol.split, 1)
    with reading(settings, source) as cursor:
        cursor.execute((SQL / "enough_ratings.sql").read_text(), {"at_least": needed})
        ((enough,),) = cursor.fetchall()
    if not enough:
        raise RecArenaError(f"{source.shown_name}: {remedy(protocol)}")


def read_dataset(
    settings: Settings, source: LoadedDataSet, protocol: EvaluationProtocol
) -> Dataset:
    """The data set as the protocol splits it.

    Items are all movies, users those with a rating (of the sample, if there is one). Rows come
    in the split's own total order, whatever the order in which they were loaded.

    Raises RecArenaError if the data set is not there or the split leaves no test rating or no
    train rating.
    """
    declared = find(source.name)
    with reading(settings, source) as cursor:
        split = (SQL / "integrated_tables.sql").read_text()
        columns = read_columns(cursor, split, protocol.query_params(), COLUMNS)
        cursor.execute((SQL / "integrated_tables_tags.sql").read_text())
        catalogue = cursor.fetchall()
    scale = RatingScale(float(declared.scale.lowest), float(declared.scale.highest))
    is_test = columns["is_test"]
    if not is_test.any() or is_test.all():
        raise RecArenaError(f"{source.shown_name}: {remedy(protocol)}")
    return _assemble(source.shown_name, columns, catalogue, scale)


def _assemble(
    name: str,
    columns: dict[str, NDArray[Any]],
    catalogue: list[tuple[int, str, list[str]]],
    scale: RatingScale,
) -> Dataset:
    is_test = columns["is_test"]
    user_ids = IdMap.of(columns["user_id"])
    item_ids = IdMap(np.array([row[0] for row in catalogue], dtype=np.int64))
    everything = Interactions(
        user_ids.index(columns["user_id"]),
        item_ids.index(columns["movie_id"]),
        columns["rating"],
        columns["timestamp"],
        len(user_ids),
        len(item_ids),
    )
    return Dataset(
        name=name,
        train=everything.where(~is_test),
        test=everything.where(is_test),
        user_ids=user_ids,
        item_ids=item_ids,
        item_words=[row[2] for row in catalogue],
        titles=[row[1] for row in catalogue],
        fingerprint=fingerprint(columns, is_test),
        scale=scale,
    )


def fingerprint(columns: dict[str, NDArray[Any]], is_test: NDArray[np.bool_]) -> str:
    """Counts and checksum of train and test: equal if and only if the split is.

    Over database ids, so that it does not depend on the catalogue; rows are in the split's
    total order.
    """
    digest = hashlib.sha256()
    names: Iterable[str] = ("user_id", "movie_id", "rating", "timestamp", "is_test")
    for name in names:
        values = columns[name]
        digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).data)
    n_test = int(is_test.sum())
    return f"{len(is_test) - n_test}+{n_test}-{digest.hexdigest()[:16]}"
