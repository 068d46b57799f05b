"""The candidates of each recommender, and what they are judged by.

Grids end where a fit on MovieLens 10M would take more than about two minutes.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any


@dataclass(frozen=True)
class Grid:
    """Every combination of `values`, each tried with as many seeds as `seeds` says."""

    objective: str
    values: dict[str, list[Any]]
    seeds: int = 1

    @cached_property
    def candidates(self) -> list[dict[str, Any]]:
        """The combinations; the last parameter varies fastest."""
        return [dict(zip(self.values, one, strict=True)) for one in product(*self.values.values())]

    def neighbors(self, position: int) -> list[int]:
        """A candidate and those one step away in one number: their positions."""
        places = list(product(*(range(len(options)) for options in self.values.values())))
        numeric = [not isinstance(options[0], str | bool) for options in self.values.values()]
        mine = places[position]
        near = []
        for other, place in enumerate(places):
            steps = [abs(a - b) for a, b in zip(mine, place, strict=True)]
            moved = [n for n, step in enumerate(steps) if step]
            if not moved or (sum(steps) == 1 and numeric[moved[0]]):
                near.append(other)
        return near


GRIDS = {
    "popularity": Grid("rmse", {"shrinkage": [0.0, 1.0, 2.0, 5.0, 10.0, 25.0]}),
    "association": Grid(
        "ndcg_at_k",
        {
            "measure": ["lift", "confidence", "cosine"],
            "combine": ["sum", "max"],
            "min_support": [0.005, 0.01, 0.02, 0.04],
            "n_rules": [20, 50, 100, 200],
        },
    ),
    "UMCF": Grid(
        "ndcg_at_k",
        {
            "similarity": ["pearson", "cosine"],
            "n_neighbors": [20, 30, 40, 60, 100],
            "shrinkage": [0.0, 10.0, 25.0, 50.0, 100.0],
        },
    ),
    "SVD": Grid(
        "ndcg_at_k",
        {"fill_with_zero": [False, True], "factors": [5, 10, 20, 30, 40, 50, 75, 100, 150]},
    ),
    "NMF": Grid(
        "ndcg_at_k",
        {
            "fill_with_zero": [True],
            "factors": [20, 30, 40, 50],
            "n_epochs": [50, 100, 200],
        },
        seeds=3,
    ),
    "MF": Grid(
        "rmse",
        {
            "factors": [20, 50, 100],
            "n_epochs": [10, 20, 30, 50],
            "reg_all": [0.02, 0.05, 0.1, 0.15],
            "lr_all": [0.005, 0.01],
        },
        seeds=2,
    ),
    "IMF": Grid(
        "ndcg_at_k",
        {
            "factors": [32, 64, 128],
            "alpha": [0.25, 0.5, 1.0, 2.0],
            "regularization": [5.0, 10.0, 20.0, 40.0],
        },
    ),
    "BPR": Grid(
        "ndcg_at_k",
        {
            "n_epochs": [20, 40, 60],
            "learning_rate": [0.02, 0.05, 0.1],
            "regularization": [0.005, 0.01, 0.02],
        },
        seeds=2,
    ),
    "LDA_contents": Grid("ndcg_at_k", {"factors": [20, 50, 100], "n_latest": [5, 10, 20]}),
    "LDA_collaboration": Grid("ndcg_at_k", {"factors": [30, 50, 80], "eta": [0.1, 0.2, 0.5]}),
}
