"""The largest values of a vector, for compiled loops."""

import numba


@numba.njit(nogil=True, cache=True)
def insert(position, value, places, kept):  # type: ignore[no-untyped-def]
    """Put a positive value into (places, kept), largest first, unless all there are larger.

    Unused places hold the value 0. Ties go to the lower position.
    """
    place = len(kept)
    while place > 0 and (
        kept[place - 1] < value or (kept[place - 1] == value and places[place - 1] > position)
    ):
        place -= 1
        if place + 1 < len(kept):
            places[place + 1], kept[place + 1] = places[place], kept[place]
    if place < len(kept):
        places[place], kept[place] = position, value


@numba.njit(nogil=True, cache=True)
def nearest(values, places, kept):  # type: ignore[no-untyped-def]
    """Write the largest positive of `values` into (places, kept), largest first; return how many.

    `places` and `kept`, of one length, receive positions and values; what is not needed of them
    keeps what it holds. Ties go to the lower position. Few candidates pass the smallest one kept.
    """
    k, size = len(places), 0
    for position in range(len(values)):
        value = values[position]
        if value <= 0 or (size == k and value <= kept[k - 1]):
            continue
        if size < k:
            kept[size] = 0
            size += 1
        insert(position, value, places[:size], kept[:size])
    return size
