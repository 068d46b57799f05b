"""Where the names of points go, so that none lies on another."""

import unicodedata
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RADII = (7.0, 15.0, 26.0, 40.0, 58.0)
MARK = 5.0  # half the size of a point's mark
LETTER, WIDE = 0.62, 1.05  # widths of a letter in heights of the font, generously


def text_width(text: str, font: float) -> float:
    """About how wide a text is in a font of this size, in any usual font."""
    wide = sum(unicodedata.east_asian_width(letter) in "WFA" for letter in text)
    return font * (wide * WIDE + (len(text) - wide) * LETTER)


def place_labels(
    points: NDArray[np.float64],
    texts: list[str],
    font: float,
    box: tuple[float, float, float, float],
) -> NDArray[np.float64]:
    """Lower left corners of the texts, shape (n, 2), in the units of `points`.

    One after the other gets, of several places near its point and in the box (left, bottom, right,
    top), the one that hides least of texts and marks, the nearest of equals.
    """
    marks = np.column_stack([points - MARK, points + MARK])
    taken = np.empty((0, 4))
    corners = np.empty_like(points)
    for index, text in enumerate(texts):
        size = np.array([text_width(text, font), font])
        tried = np.clip([*_around(points[index], size)], box[:2], np.array(box[2:]) - size)
        areas = np.column_stack([tried, tried + size])
        hidden = _overlap(areas, taken) * 3 + _overlap(areas, marks)
        cost = hidden + np.arange(len(tried)) * 0.4
        best = int(np.argmin(cost))
        corners[index] = tried[best]
        taken = np.vstack([taken, areas[best]])
    return corners


def _around(point: NDArray[np.float64], size: NDArray[np.float64]) -> Iterator[tuple[float, float]]:
    """Lower left corners of a text around a point, the best liked first."""
    (x, y), (width, height) = point, size
    for r in RADII:
        slant = r * 0.8
        yield x + r, y - height / 2
        yield x - r - width, y - height / 2
        yield x - width / 2, y + r
        yield x - width / 2, y - r - height
        yield x + slant, y + slant
        yield x + slant, y - slant - height
        yield x - slant - width, y + slant
        yield x - slant - width, y - slant - height


def _overlap(areas: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each area the others cover together, each counted for itself."""
    low = np.maximum(areas[:, None, :2], others[None, :, :2])
    high = np.minimum(areas[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)


def spread(wanted: NDArray[np.float64], gap: float, high: float) -> NDArray[np.float64]:
    """Heights at or above the wanted ones, at least `gap` apart, and down from `high` if they
    would pass it.
    """
    order = np.argsort(wanted, kind="stable")
    steps = np.arange(len(wanted)) * gap
    pushed = np.maximum.accumulate(wanted[order] - steps) + steps
    placed = np.empty_like(wanted)
    placed[order] = np.minimum(pushed, high - steps[::-1])
    return placed
