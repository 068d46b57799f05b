import numpy as np

from core.liked import liked
from tiny_datasets import dataset, noisy

TRAIN = dataset([(0, 0, 3.5), (1, 0, 4.0), (1, 2, 5.0), (2, 2, 1.0), (2, 1, 4.5)], [], 4, 4).train


def test_keeps_the_stars_of_what_was_liked() -> None:
    expected = [[0, 0, 0, 0], [4, 0, 5, 0], [0, 4.5, 0, 0], [0, 0, 0, 0]]
    assert liked(TRAIN.matrix, 4).toarray().tolist() == expected


def test_leaves_out_items_with_few_ratings_also_of_those_not_liked() -> None:
    expected = [[0, 0, 0, 0], [4, 0, 5, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert liked(TRAIN.matrix, 4, 2).toarray().tolist() == expected


def test_equal_to_a_dense_filter() -> None:
    matrix = noisy().train.matrix
    dense = matrix.toarray()
    enough = (dense > 0).sum(axis=0) >= 60
    found = liked(matrix, 3.5, 60)
    assert 0 < found.nnz < matrix.nnz
    np.testing.assert_array_equal(found.toarray(), np.where((dense >= 3.5) & enough, dense, 0))
    assert found.has_sorted_indices
