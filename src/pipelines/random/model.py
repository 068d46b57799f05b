"""Random lists: what no recommender should fall below."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.dataset import Dataset
from core.params import PipelineParams
from core.recommender import Recommender


class RandomParams(PipelineParams):
    """Parameters of random."""

    seed: int = Field(0, ge=0)
    """Seed of the scores."""


class Random(Recommender):
    """Scores that are uniform in [0, 1), fixed by (seed, user, item).

    A user gets the same list in whatever batch, because a score is a hash of a random number of
    the user and one of the item, and no stream is drawn from while ranking. The hash is the
    32-bit finaliser of MurmurHash3 (Appleby 2011, public domain).
    """

    def __init__(self, params: RandomParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        rng = np.random.default_rng(self.params.seed)
        self.user_keys_ = rng.integers(2**32, size=len(dataset.user_ids), dtype=np.uint32)
        self.item_keys_ = rng.integers(2**32, size=len(dataset.item_ids), dtype=np.uint32)
        return self

    def score(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        scores = np.empty((len(users), len(self.item_keys_)), dtype=np.float32)
        self.score_into(users, scores)
        return scores

    def score_into(self, users: NDArray[np.int32], out: NDArray[np.float32]) -> None:
        x = out.view(np.uint32)
        np.bitwise_xor(self.user_keys_[users, None], self.item_keys_, out=x)
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            x ^= x >> np.uint32(shift)
            x *= np.uint32(factor)
        x ^= x >> np.uint32(16)
        x >>= np.uint32(8)  # the 24 bits that float32 holds exactly
        np.multiply(x, np.float32(2**-24), out=out, casting="unsafe")
