"""The compiled inference against gensim's own, and its digamma against SciPy's."""

from typing import Any

import numpy as np
import pytest
from gensim.models.ldamodel import LdaModel
from scipy import special
from scipy.sparse import csr_array

from core.learning import listening
from utils import lda_gensim
from utils.lda import LdaParams, find_topics, top_words
from utils.lda_gensim import SparseLda
from utils.lda_kernels import digamma, exp_expectation

Documents = list[list[tuple[int, float]]]


def corpus(n_documents: int = 80, n_words: int = 60, seed: int = 0) -> "csr_array[np.float32]":
    """Documents of three topics; the first and the last have no words."""
    rng = np.random.default_rng(seed)
    words = rng.dirichlet(np.full(n_words, 0.1), 3)
    shares = rng.dirichlet(np.full(3, 0.2), n_documents) @ words
    counts = rng.multinomial(30, shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    counts[[0, -1]] = 0
    return csr_array(counts)


def as_lists(counts: "csr_array[np.float32]") -> Documents:
    return [
        [(int(word), float(row[word])) for word in np.flatnonzero(row)] for row in counts.toarray()
    ]


class QuietLda(LdaModel):
    """gensim's model, but for topics written to its log, for which it draws random numbers."""

    def print_topics(self, *_args: Any, **_options: Any) -> None:
        pass


def both(counts: "csr_array[np.float32]", **options: Any) -> tuple[LdaModel, SparseLda]:
    """gensim's model and ours, each with its topics still random."""
    names = {word: str(word) for word in range(counts.shape[1])}
    gensim = QuietLda(id2word=names, random_state=3, eval_every=None, **options)
    return gensim, SparseLda(counts, random_state=3, **options)


def test_digamma_is_scipys() -> None:
    x = np.geomspace(1e-4, 1e6, 500)
    np.testing.assert_allclose([digamma(v) for v in x], special.psi(x), rtol=1e-11, atol=1e-11)


def test_expectation_is_that_of_a_dirichlet_distribution() -> None:
    x = np.geomspace(0.02, 1e4, 33).astype(np.float32)
    found = np.empty_like(x)
    exp_expectation(x, found)
    wanted = np.exp(special.psi(x.astype(float)) - special.psi(x.sum(dtype=float)))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"iterations": 3}, {"alpha": 0.5, "eta": 0.3}])
def test_inference_is_gensims(options: dict[str, Any]) -> None:
    counts = corpus()
    gensim, ours = both(counts, num_topics=7, **options)
    expected, statistics = gensim.inference(as_lists(counts), collect_sstats=True)
    gamma, ours_statistics = ours.inference(range(counts.shape[0]), collect_sstats=True)
    np.testing.assert_allclose(gamma, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours_statistics, statistics, rtol=1e-4, atol=1e-4)
    only_gamma, nothing = ours.inference([5], collect_sstats=False)
    assert only_gamma.shape == (1, 7)
    assert nothing is None


def test_bound_is_gensims() -> None:
    counts = corpus()
    gensim, ours = both(counts, num_topics=7)
    ours.sync_state()  # as after an update: gensim's first topics lack the prior, unlike its bound
    gamma, _ = ours.inference(range(counts.shape[0]))
    rows = gamma[:, None]  # gensim takes a document's gamma as a matrix of one row
    expected = gensim.bound(as_lists(counts), gamma=rows) / counts.sum()
    assert ours.take_bound() == pytest.approx(expected, rel=1e-5)
    assert ours.documents_bound == 0


@pytest.mark.parametrize("chunksize", [100, 27])
def test_what_is_learned_is_what_gensim_learns(chunksize: int) -> None:
    counts = corpus()
    gensim, ours = both(counts, num_topics=4, passes=6, chunksize=chunksize)
    gensim.update(as_lists(counts))
    ours.update(range(counts.shape[0]))
    np.testing.assert_allclose(ours.get_topics(), gensim.get_topics(), atol=2e-4)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, params = corpus(), LdaParams(factors=6, n_epochs=3)
    found = []
    for n_cores in (1, 8):
        monkeypatch.setattr(lda_gensim.os, "cpu_count", lambda n=n_cores: n)
        found.append(find_topics(counts, params, "topics"))
    assert found[0].documents.tobytes() == found[1].documents.tobytes()
    assert found[0].words.tobytes() == found[1].words.tobytes()


@pytest.mark.parametrize("by_frequency", [False, True])
def test_topics_are_distributions_and_each_pass_is_reported(by_frequency: bool) -> None:
    counts, heard = corpus(), []
    params = LdaParams(factors=3, n_epochs=15, eta_by_frequency=by_frequency)
    with listening(lambda epoch, losses: heard.append((epoch, losses))):
        topics = find_topics(counts, params, "topics")
    assert topics.documents.shape == (80, 3)
    np.testing.assert_allclose(topics.documents.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(topics.words.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(topics.documents[0], 1 / 3, rtol=1e-5)
    assert [epoch for epoch, _ in heard] == list(range(1, 16))
    first, last = heard[0][1], heard[-1][1]
    assert last["log_likelihood"] > first["log_likelihood"]
    assert last["perplexity"] == pytest.approx(np.exp(-last["log_likelihood"]))


def test_updates_are_of_equal_numbers_of_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    inference = SparseLda.inference

    def spy(self: SparseLda, chunk: Any, collect_sstats: bool = False) -> Any:
        if collect_sstats:
            sizes.append(len(chunk))
        return inference(self, chunk, collect_sstats)

    monkeypatch.setattr(SparseLda, "inference", spy)
    find_topics(corpus(), LdaParams(factors=2, n_epochs=1, updates=3), "topics")
    assert sizes == [27, 27, 26]


def test_a_prior_by_frequency_is_what_topics_without_documents_follow() -> None:
    counts = csr_array(np.array([[8, 0, 0], [8, 0, 0], [8, 4, 4]], np.float32))
    params = LdaParams(factors=40, n_epochs=30, eta=5.0, eta_by_frequency=True)
    words = find_topics(counts, params, "topics").words
    np.testing.assert_allclose(np.median(words, axis=0), [0.75, 0.125, 0.125], atol=0.01)


def test_no_words_at_all() -> None:
    topics = find_topics(csr_array((3, 2), dtype=np.float32), LdaParams(factors=4), "topics")
    np.testing.assert_allclose(topics.documents, np.full((3, 4), 0.25))
    np.testing.assert_allclose(topics.words, np.full((4, 2), 0.5))


def test_top_words_are_the_likeliest_first() -> None:
    table = top_words(np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]], np.float32))
    assert table["topic"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table["rank"].tolist() == [1, 2, 3, 1, 2, 3]
    assert table["word"].tolist() == [1, 2, 0, 0, 2, 1]
    np.testing.assert_allclose(table["probability"], [0.5, 0.3, 0.2, 0.4, 0.4, 0.2])
