import numpy as np

from core.biases import Biases
from core.factors import or_biases, or_popular, with_biases

RNG = np.random.default_rng(0)
USERS, ITEMS = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 5))
BIASES = Biases(3.5, np.array([0.5, -0.5, 0, 0.25]), np.array([1, 0, -1, 0, 0.5]))


def test_with_biases() -> None:
    users, items = with_biases(USERS, ITEMS, BIASES)
    expected = USERS @ ITEMS + 3.5 + BIASES.users[:, None] + BIASES.items
    np.testing.assert_allclose(users @ items, expected)


def test_unknown_users_get_what_is_popular() -> None:
    known = np.array([True, False, True, True])
    users, items = or_popular(USERS, ITEMS, known, np.arange(5))
    found = users @ items
    assert found[1].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(found[known], (USERS @ ITEMS)[known])


def test_pairs_that_are_not_both_known_get_the_biases() -> None:
    known_users, known_items = np.arange(4) != 2, np.isin(np.arange(5), [0, 2, 4])
    users, items = or_biases(USERS, ITEMS, known_users, known_items, BIASES)
    biases = 3.5 + BIASES.users[:, None] + BIASES.items
    expected = np.where(known_users[:, None] & known_items, USERS @ ITEMS, biases)
    np.testing.assert_allclose(users @ items, expected)
