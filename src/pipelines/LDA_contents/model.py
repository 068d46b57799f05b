"""LDA on genres and tags: items alike in topics to what a user liked last."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt
from scipy.sparse import csr_array

from core.dataset import Dataset, Interactions
from core.factors import FactorModel, or_popular
from pipelines.LDA_contents.words import count_words
from utils.lda import LdaParams, find_topics, top_words


class LDAContentsParams(LdaParams):
    """Parameters of LDA_contents."""

    factors: PositiveInt = 100
    """Topics."""
    alpha: PositiveFloat = 1.0
    """Prior of each topic in an item: the larger, the more words it takes to place an item, so
    that items that little is known of do not come first. Gensim's own default is 1 / FACTORS."""
    n_latest: PositiveInt = 20
    """Newest liked items that a user's topics are the mean of."""
    minimum_items: PositiveInt = 2
    """Items that a word must occur in to be used."""


class LDAContents(FactorModel):
    """An item is a document of its genres and tags; a user is the mean of items liked last.

    Blei, Ng and Jordan, Latent Dirichlet allocation (2003); learned online by gensim (see
    utils.lda_gensim). The score of an item is the dot product of its topic distribution with the
    user's: the probability that both draw the same topic. An item without words scores 0. A user
    who liked nothing, or nothing that has words, gets the items by how many users liked them.
    """

    def __init__(self, params: LDAContentsParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        counts, vocabulary = count_words(dataset.item_words, self.params.minimum_items)
        topics = find_topics(counts, self.params, "LDA_contents")
        items = topics.documents * (np.diff(counts.indptr) > 0)[:, None]
        train = dataset.train
        liked = train.where(train.ratings >= self.params.minimum_rating)
        popularity = np.bincount(liked.items, minlength=liked.n_items)
        latest = newest(liked, self.params.n_latest)
        users = latest @ items / np.maximum(latest.sum(axis=1), 1)[:, None]
        known = np.count_nonzero(users, axis=1) > 0
        self._set_factors(*or_popular(users, items.T, known, popularity))
        self.topics_ = top_words(topics.words)
        self.topics_["word"] = vocabulary[self.topics_["word"]]
        return self

    def tables(self, dataset: Dataset) -> Mapping[str, Mapping[str, NDArray[Any]]]:  # noqa: ARG002
        """`topics`: the likeliest words of each topic."""
        return {"topics": self.topics_}


def newest(liked: Interactions, n: int) -> "csr_array[np.float32]":
    """The n newest interactions of each user as ones, shape (n_users, n_items).

    Of equal time stamps, those with the higher item index are newer.
    """
    order = np.lexsort((-liked.items, -liked.timestamps, liked.users))
    users = liked.users[order]
    starts = np.searchsorted(users, np.arange(liked.n_users))
    latest = order[np.arange(len(users)) - starts[users] < n]
    return csr_array(
        (np.ones(len(latest), np.float32), (liked.users[latest], liked.items[latest])),
        shape=(liked.n_users, liked.n_items),
    )
