"""SIGTERM ends a pipeline within seconds, also in the middle of compiled code.

Python runs a signal's handler between two of its own instructions, which may be minutes away in a
long call of a compiled library. So a thread hears of the signal too, and ends the process if the
main thread has not done so.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

STATUS = 128 + signal.SIGTERM
GRACE_SECONDS = 1.2  # for the main thread to notice, and again to end by itself


class Termination:
    """What SIGTERM does to this process; `last_words` is called when the main thread is stuck."""

    def __init__(self) -> None:
        self.last_words: Callable[[], None] = lambda: None
        self._noticed = threading.Event()

    def install(self) -> None:
        """Take over SIGTERM; outside the main thread, which gets no signals, nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        hears, told = socket.socketpair()
        told.setblocking(False)
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._leave)
        thread = threading.Thread(target=self._watch, args=(hears, told), daemon=True)
        thread.start()

    def _leave(self, _signal: int, _frame: FrameType | None) -> None:
        """End as after Ctrl-C, so that the run is marked KILLED and temporary files go."""
        self._noticed.set()
        sys.exit(STATUS)

    def _watch(self, hears: socket.socket, _told: socket.socket) -> None:
        while hears.recv(1) != bytes([signal.SIGTERM]):
            pass
        if self._noticed.wait(GRACE_SECONDS):
            threading.Event().wait(GRACE_SECONDS)  # a process that ends takes this thread along
        else:
            words = threading.Thread(target=self._speak, daemon=True)
            words.start()
            words.join(GRACE_SECONDS)
        os._exit(STATUS)

    def _speak(self) -> None:
        with suppress(Exception):
            self.last_words()


termination = Termination()
