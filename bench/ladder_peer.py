"""Ours and scikit-surprise on the very same folds: what of the ladder's gap is ours.

    python bench/ladder_peer.py                    fold 1 and 2 of 5 of ml-latest-small
    python bench/ladder_peer.py --dataset ml-1m    ... of another data set that is loaded

The ladder stands beside published figures, whose folds nobody can have again. Here both learn from
the same train ratings of `SPLIT=random`, with the parameters of the ladder, and are judged by the
same test ratings. Prints a Markdown table.
"""

import argparse

import numpy as np
import pandas as pd
import surprise

from core.dataset import Dataset
from core.protocol import EvaluationProtocol
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from utils import metrics
from utils.evaluation import predict_test
from utils.published import rungs
from utils.runner import load_pipeline

PEERS = {
    "SVD": lambda: surprise.SVD(random_state=0),
    "NMF": lambda: surprise.NMF(random_state=0),
    "centred k-NN": lambda: surprise.KNNWithMeans(verbose=False),
}


def theirs(method: str, data: Dataset) -> float:
    """RMSE of scikit-surprise with its default parameters."""
    train, test = data.train, data.test
    rows = {"user": train.users, "item": train.items, "rating": train.ratings.astype(float)}
    reader = surprise.Reader(rating_scale=(data.scale.lowest, data.scale.highest))
    known = surprise.Dataset.load_from_df(pd.DataFrame(rows), reader).build_full_trainset()
    columns = (test.users.tolist(), test.items.tolist(), test.ratings.astype(float).tolist())
    found = PEERS[method]().fit(known).test(list(zip(*columns, strict=True)))
    return float(np.sqrt(np.mean([(one.est - one.r_ui) ** 2 for one in found])))


def main() -> None:
    """Compare on two folds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="ml-latest-small")
    settings = Settings.load(dataset=parser.parse_args().dataset)
    source = choose_dataset(settings)
    print(f"{source.shown_name}\n\n| fold | ours | scikit-surprise | our RMSE | their RMSE |")
    print("|---|---|---|---|---|")
    for fold in (1, 2):
        protocol = EvaluationProtocol(source.shown_name, split="random", fold=fold)
        data = read_dataset(settings, source, protocol)
        for rung in rungs("ml-100k"):
            pipeline = load_pipeline(rung.pipeline)
            model = pipeline.recommender(pipeline.params(**dict(rung.params))).fit(data)
            predictions = predict_test(model, data)
            assert predictions is not None
            ours = metrics.rmse(data.test.ratings, predictions)
            peer = theirs(rung.method, data)
            print(f"| {fold} | {rung.pipeline} | {rung.method} | {ours:.4f} | {peer:.4f} |")


if __name__ == "__main__":
    main()
