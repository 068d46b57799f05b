"""What the scripts of all contestants do alike; needs nothing but Python."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Timing:
    """Seconds of named pieces of work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Take the time of the block."""
        start = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - start

    def finish(self, version: str, **about: Any) -> None:
        """Print the seconds, the peak memory, the version, and what else there is to tell."""
        told = {"seconds": self.seconds, "peak_mib": peak_mib(), "version": version, "about": about}
        print(json.dumps(told), flush=True)


def peak_mib() -> float:
    """The most memory that this process has had resident, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
