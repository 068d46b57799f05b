"""The variational inference of LDA for documents in sparse rows, as compiled loops (ADR 5).

Sums that the compiler could only add up one by one are written so that the innermost loop goes
over the parts of a result instead: then it takes eight or sixteen at a time, and still adds in
one order.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
EPSILON = np.finfo(np.float32).eps  # gensim's own guard against a division by zero


@njit(nogil=True, cache=True, inline="always")
def _shifted_digamma(x: float) -> float:
    """psi(x) - log(x + 6), to 1e-12 relative; x > 0.

    The recurrence psi(x) = psi(x + 6) - 1/x - ... - 1/(x + 5), its six fractions brought over one
    denominator in pairs, and the asymptotic series of psi(x + 6) (Abramowitz and Stegun, 6.3.5
    and 6.3.18). Without a branch, so that the compiler can take several at once.
    """
    a, da = x * (x + 1), 2 * x + 1
    b, db = (x + 2) * (x + 3), 2 * x + 5
    c, dc = (x + 4) * (x + 5), 2 * x + 9
    fractions = da / a + (db * c + b * dc) / (b * c)
    i = 1 / (x + 6)
    s = i * i
    tail = 1 / 240 - s * (1 / 132 - s * (691 / 32760 - s / 12))
    series = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * tail)))
    return -fractions - i / 2 - series


@njit(nogil=True, cache=True)
def digamma(x: float) -> float:
    """psi(x), the derivative of the logarithm of the gamma function; x > 0."""
    return math.log(x + 6) + _shifted_digamma(x)


@njit(nogil=True, cache=True)
def exp_expectation(concentrations: F32, out: F32) -> None:
    """exp(E[log theta]) of a Dirichlet distribution: exp(psi(c_k) - psi(sum of c)).

    Blei, Ng and Jordan, Latent Dirichlet allocation (2003), equation 8. The logarithm that
    digamma has in it is never taken: its exponential is (c_k + 6) itself.
    """
    total = 0.0
    for k in range(len(concentrations)):
        total += concentrations[k]
    scale = math.exp(-digamma(total))
    for k in range(len(concentrations)):
        c = np.float64(concentrations[k])
        out[k] = math.exp(_shifted_digamma(c)) * (c + 6) * scale


@njit(nogil=True, cache=True)
def exp_expectations(concentrations: F32, out: F32) -> None:
    """`exp_expectation` of each row."""
    for row in range(len(concentrations)):
        exp_expectation(concentrations[row], out[row])


@njit(nogil=True, cache=True)
def _normalisers(theta: F32, columns: F32, out: F32) -> None:
    """The weight of each word: sum over topics k of theta_k * columns[k, w]."""
    for w in range(len(out)):
        out[w] = EPSILON
    for k in range(len(theta)):
        weight = theta[k]
        for w in range(len(out)):
            out[w] += weight * columns[k, w]


@njit(nogil=True, cache=True)
def _updated(counts: F32, weights: F32, rows: F32, out: F32) -> None:
    """The sum over words w of counts_w / weights_w * rows[w], a number for each topic."""
    for k in range(len(out)):
        out[k] = 0
    for w in range(len(counts)):
        share = counts[w] / weights[w]
        for k in range(len(out)):
            out[k] += share * rows[w, k]


@njit(nogil=True, cache=True)
def _bound(counts: F32, weights: F32, alpha: F32, gamma: F32) -> float:
    """E[log p(document, theta)] - E[log q(theta)] of one document, its words' topics summed out.

    Hoffman, Blei and Bach, Online learning for LDA (2010), equation 4, the terms of a document.
    """
    bound = 0.0
    for w in range(len(counts)):
        bound += counts[w] * math.log(weights[w])
    prior = total = 0.0
    for k in range(len(alpha)):
        prior += alpha[k]
        total += gamma[k]
    shift = digamma(total)
    for k in range(len(alpha)):
        g, a = np.float64(gamma[k]), np.float64(alpha[k])
        bound += (a - g) * (digamma(g) - shift) + math.lgamma(g) - math.lgamma(a)
    return bound + math.lgamma(prior) - math.lgamma(total)


@njit(nogil=True, cache=True)
def _settle(
    counts: F32,
    rows: F32,
    columns: F32,
    alpha: F32,
    iterations: int,
    threshold: float,
    gamma: F32,
    theta: F32,
    weights: F32,
    update: F32,
) -> None:
    """One document's gamma where it hardly changes any more, with the theta and weights of it."""
    exp_expectation(gamma, theta)
    _normalisers(theta, columns, weights)
    for _ in range(iterations):
        _updated(counts, weights, rows, update)
        change = 0.0
        for k in range(len(alpha)):
            value = alpha[k] + theta[k] * update[k]
            change += abs(value - gamma[k])
            gamma[k] = value
        exp_expectation(gamma, theta)
        _normalisers(theta, columns, weights)
        if change < threshold * len(alpha):
            break


@njit(nogil=True, cache=True)
def _collect(
    words: NDArray[np.int32], counts: F32, weights: F32, theta: F32, statistics: F32
) -> None:
    """Add one document's expected counts of words and topics, still without the topics' factor."""
    for w in range(len(words)):
        share = counts[w] / weights[w]
        for k in range(len(theta)):
            statistics[words[w], k] += share * theta[k]


@njit(nogil=True, cache=True)
def infer(
    starts: NDArray[np.int32],
    words: NDArray[np.int32],
    counts: F32,
    topics: F32,
    alpha: F32,
    gamma: F32,
    statistics: F32,
    iterations: int,
    threshold: float,
) -> float:
    """The documents' bound on the log likelihood, after their E step.

    Document d is words[starts[d]:starts[d + 1]], each as often as `counts` says; `topics` is
    exp(E[log beta]), shape (n_words, n_topics). `gamma`, shape (n_documents, n_topics), is where
    the iteration begins and is left where it ends: when it changes by less than `threshold` in
    the mean, or after `iterations`. Expected counts of each word and topic, still to be multiplied
    by `topics`, are added to `statistics`, shaped like `topics`, unless that is empty.

    Hoffman, Blei and Bach (2010), algorithm 1, lines 4 to 10, as gensim computes it.
    """
    n_topics = len(alpha)
    longest = np.diff(starts).max() if len(gamma) else 0
    all_rows = np.empty((longest, n_topics), np.float32)
    all_columns = np.empty(n_topics * longest, np.float32)
    all_weights = np.empty(longest, np.float32)
    theta, update = np.empty(n_topics, np.float32), np.empty(n_topics, np.float32)
    bound = 0.0
    for d in range(len(gamma)):
        mine, count = words[starts[d] : starts[d + 1]], counts[starts[d] : starts[d + 1]]
        rows, weights = all_rows[: len(mine)], all_weights[: len(mine)]
        columns = all_columns[: n_topics * len(mine)].reshape(n_topics, len(mine))
        for w in range(len(mine)):
            rows[w] = topics[mine[w]]
        columns[:] = rows.T
        _settle(
            count, rows, columns, alpha, iterations, threshold, gamma[d], theta, weights, update
        )
        bound += _bound(count, weights, alpha, gamma[d])
        if len(statistics):
            _collect(mine, count, weights, theta, statistics)
    return bound
