"""A clock that jumps by CLOCK_JUMPS seconds as soon as the file CLOCK_FILE is there."""

import os
import time

_time, _file, _jump = time.time, os.environ["CLOCK_FILE"], float(os.environ["CLOCK_JUMPS"])
_since = [False]


def _shifted() -> float:
    _since[0] = _since[0] or os.path.exists(_file)  # noqa: PTH110 - cheap, for it is called often
    return _time() + (_jump if _since[0] else 0.0)


time.time = _shifted
