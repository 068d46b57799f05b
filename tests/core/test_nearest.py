import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.nearest import nearest


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.integers(-3, 6), max_size=40), st.integers(1, 12))
def test_equal_to_sorting(values: list[int], k: int) -> None:
    places, kept = np.full(k, -1, np.int32), np.zeros(k)
    size = nearest(np.array(values, np.float64), places, kept)
    order = sorted((-value, n) for n, value in enumerate(values) if value > 0)[:k]
    assert places[:size].tolist() == [n for _, n in order]
    assert kept[:size].tolist() == [-value for value, _ in order]
    assert (places[size:] == -1).all()
