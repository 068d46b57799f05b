"""A run's model behind MLflow's `pyfunc`: the best items of users, asked by their database ids."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from core.dataset import IdMap
from core.errors import RecArenaError
from core.recommender import NO_ITEM, Recommender
from utils.model_files import IDS_FILE, SEEN_FILE, model_file, read_ids, read_seen, unpickle

DATA_FILE = "model.json"
DEFAULT_K, MAX_K = 10, 1000
TAG = "model_sha256"


@dataclass(frozen=True)
class ServedModel:
    """A model with the ids of its users and items, and what its users have seen."""

    model: Recommender
    users: IdMap
    items: IdMap
    seen: "csr_array[np.float32]"

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """The `k` best items of each user id in the column `user_id` of a data frame, best first.

        One row an item: `user_id`, `rank` from 1, `movie_id`, `score`. Items that the user rated
        in train are left out. A user whom the model did not learn from has no rows.

        Raises ValueError for a `k` that is not in 1..1000.
        """
        k = int((params or {}).get("k", DEFAULT_K))
        if not 1 <= k <= MAX_K:
            raise ValueError(f"k={k}: ask for 1 to {MAX_K} items")
        wanted = data["user_id"].to_numpy(dtype=np.int64)
        known = wanted[np.isin(wanted, self.users.ids)]
        ranking = self.model.rank(self.users.index(known), k, exclude=self.seen)
        rows, places = np.nonzero(ranking.items != NO_ITEM)
        return type(data)(  # pandas is not there where models are trained
            {
                "user_id": known[rows],
                "rank": (places + 1).astype(np.int32),
                "movie_id": self.items.ids[ranking.items[rows, places]],
                "score": ranking.scores[rows, places].astype(np.float32),
            }
        )


def load(folder: Path) -> ServedModel:
    """The model that a logged `pyfunc` stands for, from its run's own files.

    The pickle's sha256 is compared with the tag of the run, which is in MLflow's database and not
    beside the file, before anything of it is unpickled.

    Raises RecArenaError if it is another, or if something is missing.
    """
    import mlflow  # noqa: PLC0415 - takes seconds

    said = json.loads((folder / DATA_FILE).read_text(encoding="utf-8"))
    run_id, name = said["run_id"], said["recommender"]
    sha256 = mlflow.MlflowClient().get_run(run_id).data.tags.get(TAG)
    if not sha256:
        raise RecArenaError(f"run {run_id} has no tag {TAG}, so its model is not to be trusted")
    with TemporaryDirectory(prefix="recarena-") as target:

        def fetch(path: str) -> Path:
            return Path(
                mlflow.artifacts.download_artifacts(
                    run_id=run_id, artifact_path=path, dst_path=target
                )
            )

        model = unpickle(fetch(model_file(name)), sha256)
        users, items = read_ids(fetch(IDS_FILE))
        return ServedModel(model, users, items, read_seen(fetch(SEEN_FILE), len(users), len(items)))
