"""LensKit: with_lenskit.py DATA SAMPLE [SAMPLE ...]

`batch.recommend` and `RunAnalysis` with recall and NDCG at 10, of implicit ALS with 64 factors,
for samples of users. The model is trained for one epoch; training is not what is measured. Users'
factors are those of the training ("prefer"), which is LensKit's faster way.
"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from lenskit.als import ImplicitMFConfig, ImplicitMFScorer
from lenskit.batch import recommend
from lenskit.data import ItemListCollection, from_interactions_df
from lenskit.metrics import NDCG, Recall, RunAnalysis
from lenskit.pipeline import topn_pipeline
from timing import Timing


def frame(arrays: np.lib.npyio.NpzFile, side: str) -> pd.DataFrame:
    """The ratings of a side of the split."""
    names = ("users", "items", "ratings")
    columns = (arrays[f"{side}_{name}"] for name in names)
    return pd.DataFrame(dict(zip(("user_id", "item_id", "rating"), columns, strict=True)))


if __name__ == "__main__":
    with np.load(sys.argv[1]) as arrays:
        train, test = frame(arrays, "train"), frame(arrays, "test")
    relevant = test[test["rating"] >= 4]
    order = np.random.default_rng(0).permutation(test["user_id"].unique())
    config = ImplicitMFConfig(embedding_size=64, epochs=1, user_embeddings="prefer")
    pipeline = topn_pipeline(ImplicitMFScorer(config), n=10)
    pipeline.train(from_interactions_df(train))
    clock = Timing()
    for size in map(int, sys.argv[2:]):
        users = order[:size]
        truth = ItemListCollection.from_df(relevant[relevant["user_id"].isin(users)], "user_id")
        for jobs in (1, 2):
            with clock(f"rank {size} jobs={jobs}"):
                lists = recommend(pipeline, users.tolist(), n=10, n_jobs=jobs)
        with clock(f"evaluate {size}"):
            RunAnalysis(Recall(n=10), NDCG(n=10)).measure(lists, truth)
    clock.finish(version("lenskit"))
