"""Cornac: with_cornac.py DATA SAMPLE [SAMPLE ...]

Its own ranking evaluation, recall and NDCG at 10, of BPR with 64 factors, for samples of users.
The model is trained for one epoch; training is not what is measured.
"""

import sys
from importlib.metadata import version

import numpy as np
from cornac.eval_methods import BaseMethod
from cornac.eval_methods.base_method import ranking_eval
from cornac.metrics import NDCG, Recall
from cornac.models import BPR
from timing import Timing


def triples(arrays: np.lib.npyio.NpzFile, side: str, users: np.ndarray | None = None) -> list:
    """The ratings as a list of (user, item, rating); of some users only, if given."""
    columns = [arrays[f"{side}_{name}"] for name in ("users", "items", "ratings")]
    if users is not None:
        kept = np.isin(columns[0], users)
        columns = [column[kept] for column in columns]
    return list(zip(*(column.tolist() for column in columns), strict=True))


if __name__ == "__main__":
    clock = Timing()
    samples = [int(size) for size in sys.argv[2:]]
    with np.load(sys.argv[1]) as arrays:
        train = triples(arrays, "train")
        order = np.random.default_rng(0).permutation(np.unique(arrays["test_users"]))
        tests = [triples(arrays, "test", order[:size]) for size in samples]
    model = None
    for size, test in zip(samples, tests, strict=True):
        method = BaseMethod.from_splits(train, test, rating_threshold=4.0, exclude_unknowns=False)
        if model is None:
            model = BPR(k=64, max_iter=1, seed=0).fit(method.train_set)
        with clock(f"evaluate {size}"):
            ranking_eval(
                model,
                [Recall(k=10), NDCG(k=10)],
                train_set=method.train_set,
                test_set=method.test_set,
                rating_threshold=4.0,
            )
    clock.finish(version("cornac"))
