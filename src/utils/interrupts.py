"""Ctrl-C, SIGTERM and SIGHUP at safe points only, so that what was begun can be ended."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Check = Callable[[], None]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def deferred_interrupts() -> Iterator[Check]:
    """Hold interrupts back; yields `check()`, which lets one that came take effect.

    An interrupt that no `check()` has seen takes effect at the end. Between the checks no
    statement is cut in two: a process that was started is always known. Nested uses are fine;
    outside the main thread, which gets no signals, nothing happens. A signal that is ignored
    (`nohup`) stays so.

    Raises KeyboardInterrupt (SIGINT) or SystemExit (the others), from `check()` or at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    def check() -> None:
        if came:
            number = came[0]
            came.clear()
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in heard}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    check()
