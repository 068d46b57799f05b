"""Items as documents of their words."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def count_words(
    item_words: Sequence[Sequence[str]], minimum_items: int
) -> tuple["csr_array[np.float32]", NDArray[Any]]:
    """How often each item has each word, and the words, in code point order.

    A genre or tag is one word, whatever spaces it has. Words of fewer than `minimum_items` items
    are left out: they cannot tell which items are alike.
    """
    vocabulary = sorted(set(chain.from_iterable(item_words)))
    index = {word: n for n, word in enumerate(vocabulary)}
    lengths = np.fromiter(map(len, item_words), np.int64, len(item_words))
    words = np.fromiter(
        map(index.__getitem__, chain.from_iterable(item_words)), np.int64, lengths.sum()
    )
    items = np.repeat(np.arange(len(item_words)), lengths)
    counts = csr_array(
        (np.ones(len(words), np.float32), (items, words)),
        shape=(len(item_words), len(vocabulary)),
    )  # adds up what occurs twice
    kept = np.flatnonzero(np.bincount(counts.indices, minlength=len(index)) >= minimum_items)
    return csr_array(counts[:, kept]), np.array(vocabulary, dtype=object)[kept]
