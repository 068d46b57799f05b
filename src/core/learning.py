"""What a recommender reports while it learns: its progress, and its losses by epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from core.progress import progress

Listener = Callable[[int, dict[str, float]], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener(epoch, losses)` called for all that is reported inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(epoch: int, **losses: float) -> None:
    """Tell whoever listens the losses (or likelihoods) after an epoch, counted from 1."""
    listener = _listener.get()
    if listener is not None:
        listener(epoch, {name: float(value) for name, value in losses.items()})


def epochs(label: str, n: int) -> Iterator[int]:
    """The epochs 1..n, with progress shown as they pass, also if the loop is left early."""
    with progress(label, n, "epochs") as advance:
        for epoch in range(1, n + 1):
            try:
                yield epoch
            except GeneratorExit:  # nobody asks for the next one
                advance(1)
                return
            advance(1)
