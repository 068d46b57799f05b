"""Surprise: with_surprise.py DATA mf|knn

mf    SVD of 100 factors, 1 and 3 epochs, on a trainset built from a data frame
knn   KNNWithMeans by Pearson on a sample of users, to see what memory its matrices take
"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from surprise import SVD, Dataset, KNNWithMeans, Reader
from surprise.trainset import Trainset
from timing import Timing, peak_mib

KNN_USERS = 4_000


def trainset_of(users: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Trainset:
    """The ratings as Surprise wants them, in the way of its documentation."""
    frame = pd.DataFrame({"user": users, "item": items, "rating": ratings})
    data = Dataset.load_from_df(frame, Reader(rating_scale=(0.5, 5)))
    return data.build_full_trainset()


def mf(timing: Timing, columns: list[np.ndarray]) -> dict[str, float]:
    """Train for 1 and for 3 epochs: an epoch takes half the difference."""
    with timing("trainset"):
        trainset = trainset_of(*columns)
    for epochs in (1, 3):
        with timing(f"fit n_epochs={epochs}"):
            SVD(n_factors=100, n_epochs=epochs, random_state=0).fit(trainset)
    return {}


def knn(timing: Timing, columns: list[np.ndarray]) -> dict[str, float]:
    """Memory that the fit takes above what the ratings take, and how many n x n matrices it is."""
    users = columns[0]
    everybody = np.unique(users)
    size = min(KNN_USERS, len(everybody))
    sample = np.random.default_rng(0).choice(everybody, size, replace=False)
    kept = np.isin(users, sample)
    trainset = trainset_of(*(column[kept] for column in columns))
    before = peak_mib()
    similarity = {"name": "pearson", "user_based": True}
    with timing("fit"):
        KNNWithMeans(k=30, sim_options=similarity, verbose=False).fit(trainset)
    matrix = size**2 * 8 / 2**20
    return {"users": size, "matrices": (peak_mib() - before) / matrix}


if __name__ == "__main__":
    with np.load(sys.argv[1]) as arrays:
        train = [arrays[f"train_{name}"] for name in ("users", "items", "ratings")]
    clock = Timing()
    found = {"mf": mf, "knn": knn}[sys.argv[2]](clock, train)
    clock.finish(version("scikit-surprise"), **found)
