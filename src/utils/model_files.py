"""The files of a fitted model: the pickle, its ids, and what its users have seen.

Needs nothing but arrays and the domain's own types, so that a model can be served without the
platform around it.
"""

import hashlib
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from scipy.sparse import csr_array

from core.dataset import Dataset, IdMap
from core.errors import RecArenaError, first_line
from core.recommender import Recommender

FOLDER = "models"
IDS_FILE = f"{FOLDER}/ids.npz"
SEEN_FILE = f"{FOLDER}/seen.parquet"


def model_file(name: str) -> str:
    """The path of a recommender's pickle among the files of a run."""
    return f"{FOLDER}/{name}.pkl"


def write_model(folder: Path, name: str, model: Recommender) -> str:
    """Pickle the fitted model to `models/<name>.pkl` and return the file's sha256."""
    file = folder / model_file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        pickle.dump(model, out, protocol=5)
    with file.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def unpickle(file: Path, sha256: str) -> Recommender:
    """The pickled recommender in a file that has this checksum.

    Raises RecArenaError, having run nothing of the file, if it has another; and if there is no
    recommender in it.
    """
    with file.open("rb") as pickled:
        found = hashlib.file_digest(pickled, "sha256").hexdigest()
        if found != sha256:
            raise RecArenaError(
                f"{file.name} is not the file that the run left: its sha256 is {found}, "
                f"the tag model_sha256 says {sha256}"
            )
        pickled.seek(0)
        try:
            model = pickle.load(pickled)  # noqa: S301 - the run's own file
        except Exception as error:
            # whatever it is: a model may be of another version of its class or of a library
            why = f"{type(error).__name__}: {first_line(error)}"
            raise RecArenaError(f"{file.name} does not load here ({why}); run it again") from None
    if not isinstance(model, Recommender):
        raise RecArenaError(f"{file.name} holds a {type(model).__name__}, which is no recommender")
    return model


def write_ids(folder: Path, dataset: Dataset) -> None:
    """Write the database ids of the model's users and items, in the order of its indices.

    So a model can be asked without the data set that it learned from, whose ids and split may be
    others by then.
    """
    file = folder / IDS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, users=dataset.user_ids.ids, items=dataset.item_ids.ids)


def read_ids(file: Path) -> tuple[IdMap, IdMap]:
    """The id maps of users and of items that `write_ids` wrote.

    Raises RecArenaError if the file is none of these.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return IdMap(arrays["users"]), IdMap(arrays["items"])
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecArenaError(f"{file.name} cannot be read: {first_line(error)}") from None


def write_seen(folder: Path, dataset: Dataset) -> None:
    """Write which items each user rated in train, by indices: what a list is not to repeat.

    Without stars and times, and sorted, so that ten million pairs take few bytes.
    """
    file = folder / SEEN_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    matrix = dataset.train.matrix
    users = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
    table = pa.table({"user": users, "item": matrix.indices.astype(np.int32, copy=False)})
    deltas = dict.fromkeys(table.column_names, "DELTA_BINARY_PACKED")
    parquet.write_table(
        table, file, compression="zstd", use_dictionary=False, column_encoding=deltas
    )


def read_seen(file: Path, n_users: int, n_items: int) -> "csr_array[np.float32]":
    """The matrix of seen items, of shape (n_users, n_items), that `write_seen` wrote.

    Raises RecArenaError if the file is none of these, or of other users and items.
    """
    try:
        table = parquet.read_table(file)
        users, items = table["user"].to_numpy(), table["item"].to_numpy()
        ones = np.ones(len(users), dtype=np.float32)
        seen = csr_array((ones, (users, items)), shape=(n_users, n_items))
    except (OSError, ValueError, KeyError) as error:
        raise RecArenaError(f"{file.name} cannot be read: {first_line(error)}") from None
    seen.sort_indices()
    return seen
