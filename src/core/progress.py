"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

LINE_SECONDS = 5.0  # between plain lines
Advance = Callable[[int], None]

_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Show no progress inside the block, whose work is too small for it."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


class _Rate(ProgressColumn):
    """Units done and units per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        return Text(_state(int(task.completed), task.total, task.elapsed or 0.0, self.unit))


@contextmanager
def progress(label: str, total: int | None, unit: str) -> Iterator[Advance]:
    """Show the progress of a piece of work on standard error; yields `advance(n)`.

    On a terminal a bar is redrawn; elsewhere a line appears every few seconds and one at the end,
    so that a log of a short piece of work has just that one. `advance` may be called from any
    thread. `total` is None when it is not known beforehand.
    """
    if _silent.get():
        yield lambda _: None
        return
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), _Rate(unit), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(label, total=total)
            yield lambda n: bar.advance(task, n)
        return
    lines = _Lines(label, total, unit)
    yield lines.advance
    lines.show()


class _Lines:
    """Progress as plain lines."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        self.start = self.shown = time.monotonic()

    def advance(self, n: int) -> None:
        self.done += n
        if time.monotonic() - self.shown >= LINE_SECONDS:
            self.show()

    def show(self) -> None:
        self.shown = time.monotonic()
        state = _state(self.done, self.total, self.shown - self.start, self.unit)
        print(f"{self.label}: {state}", file=sys.stderr, flush=True)


def _state(done: int, total: float | None, seconds: float, unit: str) -> str:
    rate = f", {done / seconds:,.0f} {unit}/s" if seconds > 0.05 and done else ""
    share = f" ({done / total:.0%})" if total and done < total else ""
    return f"{done:,} {unit}{share}{rate}"
