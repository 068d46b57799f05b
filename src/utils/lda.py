"""Topics of documents by LDA: what the two LDA recommenders share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt
from scipy.sparse import csr_array

from core.learning import report
from core.params import PipelineParams
from core.progress import progress
from utils.lda_gensim import SparseLda

F32 = NDArray[np.float32]
TOP = 20  # words of a topic that its table shows


class LdaParams(PipelineParams):
    """Parameters of LDA itself."""

    factors: PositiveInt = 50
    """Topics."""
    n_epochs: PositiveInt = 20
    """Passes over all documents."""
    updates: PositiveInt = 4
    """Updates of the topics in a pass; documents are dealt to them in equal numbers."""
    alpha: PositiveFloat = 0.02
    """Prior of each topic in a document: small for few topics a document. Gensim's own default
    is 1 / FACTORS."""
    eta: PositiveFloat = 0.02
    """Prior of each word in a topic: small for few words a topic. Gensim's own default is
    1 / FACTORS."""
    eta_by_frequency: bool = False
    """Give each word its share of the prior by how often it occurs, rather than all the same;
    ETA is the mean then."""
    iterations: PositiveInt = 20
    """Steps at most in which a document's topics are found, in each pass."""
    gamma_threshold: PositiveFloat = 0.01
    """Mean change of a document's topic counts below which no further step is made."""
    minimum_rating: float = 4.0
    """Stars from which a train rating counts as liked."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the topics' and the documents' starting points."""


class Topics(NamedTuple):
    """What LDA found: distributions, each row sums to 1.

    `documents` are the topics of each document, shape (n_documents, n_topics); `words` the words
    of each topic, shape (n_topics, n_words).
    """

    documents: F32
    words: F32


class _AfterPass:
    """What gensim calls after each pass over the documents: tells how likely they have become."""

    logger = None  # none of gensim's own ways to show a metric

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance
        self.passes = 0

    def get_value(self, *, model: SparseLda, **_others: Any) -> float:
        bound = model.take_bound()
        self.passes += 1
        report(self.passes, log_likelihood=bound, perplexity=np.exp(-bound))
        self.advance(1)
        return bound


def find_topics(counts: "csr_array[np.float32]", params: LdaParams, label: str) -> Topics:
    """The topics of documents given as rows of word counts.

    Reports after each pass the bound on the log likelihood of a word (natural logarithm) and its
    perplexity. A document without words gets the prior; without any word at all, topics are
    uniform.
    """
    n_documents, n_words = counts.shape
    if not counts.nnz:
        return Topics(
            np.full((n_documents, params.factors), 1 / params.factors, np.float32),
            np.full((params.factors, n_words), 1 / max(n_words, 1), np.float32),
        )
    with progress(label, params.n_epochs, "passes") as advance:
        model = SparseLda(
            counts,
            num_topics=params.factors,
            passes=params.n_epochs,
            # equal chunks: a small last one would count for as much as a whole one
            chunksize=-(-n_documents // params.updates),
            alpha=params.alpha,
            eta=_word_prior(counts, params),
            iterations=params.iterations,
            gamma_threshold=params.gamma_threshold,
            random_state=params.seed,
            callbacks=[_AfterPass(advance)],
        )
        model.update(range(n_documents))
    gamma, _ = model.inference(range(n_documents))
    return Topics(gamma / gamma.sum(axis=1, keepdims=True), model.get_topics().astype(np.float32))


def _word_prior(counts: "csr_array[np.float32]", params: LdaParams) -> F32:
    """The prior of each word in a topic; one that never occurs counts as if it did once."""
    n_words = counts.shape[1]
    if not params.eta_by_frequency:
        return np.full(n_words, params.eta, np.float32)
    frequency = np.maximum(np.bincount(counts.indices, counts.data, minlength=n_words), 1)
    return (params.eta * frequency / frequency.mean()).astype(np.float32)


def top_words(words: F32) -> dict[str, NDArray[Any]]:
    """The likeliest words of each topic: columns topic and rank (from 1), word, probability."""
    n_topics, n_words = words.shape
    best = np.argsort(-words, axis=1, kind="stable")[:, :TOP]
    n = min(TOP, n_words)
    return {
        "topic": np.repeat(np.arange(1, n_topics + 1, dtype=np.int32), n),
        "rank": np.tile(np.arange(1, n + 1, dtype=np.int32), n_topics),
        "word": best.ravel(),
        "probability": np.take_along_axis(words, best, axis=1).ravel(),
    }
