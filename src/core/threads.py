"""Work on many rows, in parts, by as many threads as there are cores."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from core.progress import progress


def in_threads(
    work: Callable[[int, int], None],
    bounds: Sequence[int],
    label: str,
    unit: str,
    most: int | None = None,
) -> None:
    """Do `work(first, last)` between all neighbouring bounds, which rise, and show progress.

    No more than `most` threads work, if given.

    A call writes to places of its own, so that the result is the same with any number of threads;
    it gains by them where it releases the interpreter's lock.
    """

    def part(first_and_last: tuple[int, int]) -> int:
        first, last = first_and_last
        work(first, last)
        return last - first

    with (
        ThreadPoolExecutor(min(os.cpu_count() or 1, most or sys.maxsize)) as pool,
        progress(label, bounds[-1] - bounds[0], unit) as advance,
    ):
        for done in pool.map(part, pairwise(bounds)):
            advance(done)
