"""LDA on what users liked: tastes are topics, items are their words."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt
from scipy.sparse import csr_array

from core.dataset import Dataset
from core.factors import FactorModel
from utils.lda import LdaParams, find_topics, top_words


class LDACollaborationParams(LdaParams):
    """Parameters of LDA_collaboration."""

    factors: PositiveInt = 80
    """Topics."""
    alpha: PositiveFloat = 0.05
    """Prior of each topic in a user: small for few topics a user. Gensim's own default is
    1 / FACTORS."""
    eta: PositiveFloat = 0.2
    """Prior of an item in a topic: small for few items a topic. Gensim's own default is
    1 / FACTORS."""
    eta_by_frequency: bool = True
    """Give each item its share of the prior by how many like it, rather than all the same; ETA is
    the mean then. What a topic says nothing about is ranked by popularity."""


class LDACollaboration(FactorModel):
    """A user is a document, the items that the user liked are its words.

    The score of an item is its probability to be the user's next word: the sum over topics of
    p(topic | user) p(item | topic). Blei, Ng and Jordan, Latent Dirichlet allocation (2003),
    section 7.3; learned online by gensim (see utils.lda_gensim).

    With ETA_BY_FREQUENCY, items that nobody liked are no words and score 0. A user who liked
    nothing gets the mean user's topics.
    """

    def __init__(self, params: LDACollaborationParams) -> None:
        self.params = params

    def fit(self, dataset: Dataset) -> Self:
        train = dataset.train
        liked = train.where(train.ratings >= self.params.minimum_rating)
        # by frequency, an item that nobody liked has no prior, and so is no word
        items = np.unique(liked.items) if self.params.eta_by_frequency else np.arange(train.n_items)
        words = np.searchsorted(items, liked.items)
        counts = csr_array(
            (np.ones(len(liked), np.float32), (liked.users, words)),
            shape=(liked.n_users, len(items)),
        )
        topics = find_topics(counts, self.params, "LDA_collaboration")
        item_topics = np.zeros((self.params.factors, liked.n_items), np.float32)
        item_topics[:, items] = topics.words
        silent = np.diff(counts.indptr) == 0
        if not silent.all():
            topics.documents[silent] = topics.documents[~silent].mean(axis=0)
        self._set_factors(topics.documents, item_topics)
        return self

    def tables(self, dataset: Dataset) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """`topics`: the likeliest items of each topic."""
        columns = top_words(self.item_factors_)
        items = columns.pop("word")
        titles = np.array(dataset.titles, dtype=object)[items]
        return {"topics": columns | {"movie_id": dataset.item_ids.ids[items], "title": titles}}
