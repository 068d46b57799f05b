"""gensim's LDA for documents that are the rows of a sparse matrix."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from gensim.models.ldamodel import LdaModel, LdaState
from gensim.utils import FakeDict
from numpy.typing import NDArray
from scipy.sparse import csr_array

from utils.lda_kernels import exp_expectations, infer

F32 = NDArray[np.float32]
T = TypeVar("T")
PARTS = 2  # of a chunk, one a thread; fixed, so that sums are the same whatever the machine


class SparseLda(LdaModel):  # type: ignore[misc] # gensim has no types
    """gensim's online LDA with its E step compiled, over rows of a sparse matrix of counts.

    Where gensim takes a document as a list of (word, count) it is a row's number here: so its
    `update` runs as it is on `range(n)`, and no list of millions of pairs is made. Random numbers
    are drawn as gensim draws them: the results are gensim's but for rounding.

    Hoffman, Blei and Bach, Online learning for latent Dirichlet allocation (2010), algorithm 2.
    """

    def __init__(self, counts: "csr_array[np.float32]", **options: Any) -> None:
        self.counts = counts
        self.documents_bound = 0.0
        super().__init__(id2word=FakeDict(counts.shape[1]), eval_every=None, **options)

    def inference(
        self, chunk: Sequence[int], collect_sstats: bool = False
    ) -> tuple[F32, F32 | None]:
        """gamma of the documents, and the expected counts of words in topics if wanted.

        Adds the documents' bound on their log likelihood to `documents_bound`.
        """
        shape = (len(chunk), self.num_topics)
        gamma = self.random_state.gamma(100.0, 1 / 100.0, shape).astype(np.float32)
        documents = self.counts[np.asarray(chunk)]
        topics = np.ascontiguousarray(self.expElogbeta.T)
        statistics = np.zeros((PARTS, *(topics.shape if collect_sstats else (0, 0))), np.float32)
        cuts = np.linspace(0, documents.nnz, PARTS + 1)  # parts of about as many words each
        ends = np.searchsorted(documents.indptr, cuts)
        ends[0], ends[-1] = 0, len(chunk)

        def part(n: int) -> float:
            return infer(
                documents.indptr[ends[n] : ends[n + 1] + 1],
                documents.indices,
                documents.data,
                topics,
                self.alpha,
                gamma[ends[n] : ends[n + 1]],
                statistics[n],
                self.iterations,
                self.gamma_threshold,
            )

        self.documents_bound += sum(_in_threads(part))
        if not collect_sstats:
            return gamma, None
        return gamma, (statistics.sum(axis=0) * topics).T

    def sync_state(self, current_Elogbeta: Any = None) -> None:  # noqa: N803, ARG002 - gensim's
        """Make exp(E[log beta]) that of the topics as they are now."""
        topics = self.state.get_lambda()
        self.expElogbeta = np.empty_like(topics)
        cuts = np.linspace(0, len(topics), PARTS + 1).astype(int)

        def part(n: int) -> None:
            rows = slice(cuts[n], cuts[n + 1])
            exp_expectations(topics[rows], self.expElogbeta[rows])

        _in_threads(part)

    def do_mstep(self, rho: float, other: LdaState, extra_pass: bool = False) -> None:
        """Blend the expected counts of a chunk into the topics, with weight `rho`.

        As gensim's, without the topics that it writes to its log, which takes most of its time.
        """
        self.state.blend(rho, other)
        self.sync_state()
        if not extra_pass:
            self.num_updates += other.numdocs

    def take_bound(self) -> float:
        """Lower bound of the log likelihood per word, by the documents inferred since last asked.

        A document's part is from when it was learned from, so it costs next to nothing.
        """
        bound = (self.documents_bound + self.bound([])) / self.counts.sum(dtype=np.float64)
        self.documents_bound = 0.0
        return float(bound)


def _in_threads(work: Callable[[int], T]) -> list[T]:
    """Results of work(0), work(1), ... for all parts."""
    with ThreadPoolExecutor(min(PARTS, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, range(PARTS)))
