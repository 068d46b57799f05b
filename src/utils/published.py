"""Published results that runs of ours can stand beside: the same data, the same protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Publication:
    """Where results were published; they are the mean RMSE over `n_folds` random folds."""

    title: str
    address: str
    n_folds: int


@dataclass(frozen=True)
class Rung:
    """One published RMSE, and the recommender of ours that is the same method.

    `params` are all that matter of ours, as they were published; `differs` says in words what is
    not the same nevertheless.
    """

    dataset: str
    method: str
    rmse: float
    publication: Publication
    pipeline: str
    params: Mapping[str, object] = field(hash=False)
    differs: str = ""


RATINGS = {"ml-100k": 100_000, "ml-1m": 1_000_209, "ml-10m": 10_000_054}  # of the real data sets

SURPRISE = Publication(
    "scikit-surprise, benchmarks in its README: 5-fold cross-validation, default parameters",
    "https://github.com/NicolasHug/Surprise",
    5,
)
RENDLE = Publication(
    "Rendle, Zhang and Koren, On the difficulty of evaluating baselines (2019), 90:10 in 10 folds",
    "https://arxiv.org/abs/1905.01395",
    10,
)

# the defaults of scikit-surprise's SVD, NMF and KNNWithMeans
_SVD: dict[str, object] = {
    "factors": 100,
    "n_epochs": 20,
    "lr_all": 0.005,
    "reg_all": 0.02,
    "use_bias": True,
    "init_std_dev": 0.1,
}
_NMF: dict[str, object] = {
    "fill_with_zero": False,
    "factors": 15,
    "n_epochs": 50,
    "tolerance": 0.0,
    "reg_user": 0.06,
    "reg_item": 0.06,
}
_KNN: dict[str, object] = {
    "similarity": "cosine",
    "shrinkage": 0.0,
    "min_support": 1,
    "n_neighbors": 40,
    "min_neighbors": 1,
}
_KNN_DIFFERS = "theirs compares users by mean squared difference, ours by the cosine"
_NMF_DIFFERS = "first factors of another range"
_SGD: dict[str, object] = {
    "n_epochs": 128,
    "lr_all": 0.003,
    "reg_all": 0.04,
    "use_bias": True,
    "init_std_dev": 0.1,
}

RUNGS = (
    Rung("ml-100k", "SVD", 0.934, SURPRISE, "MF", _SVD),
    Rung("ml-100k", "NMF", 0.963, SURPRISE, "NMF", _NMF, _NMF_DIFFERS),
    Rung("ml-100k", "centred k-NN", 0.951, SURPRISE, "UMCF", _KNN, _KNN_DIFFERS),
    Rung("ml-1m", "SVD", 0.873, SURPRISE, "MF", _SVD),
    Rung("ml-1m", "NMF", 0.916, SURPRISE, "NMF", _NMF, _NMF_DIFFERS),
    Rung("ml-1m", "centred k-NN", 0.929, SURPRISE, "UMCF", _KNN, _KNN_DIFFERS),
    Rung("ml-10m", "SGD MF, 64 factors", 0.7756, RENDLE, "MF", _SGD | {"factors": 64}),
    Rung("ml-10m", "SGD MF, 512 factors", 0.7720, RENDLE, "MF", _SGD | {"factors": 512}),
)


def rungs(dataset: str) -> tuple[Rung, ...]:
    """The published results on a data set, by its shown name; none if there are none."""
    return tuple(rung for rung in RUNGS if rung.dataset == dataset)
