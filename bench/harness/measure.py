"""Seconds of a piece of work, and processes of which the time is limited."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


class FailedError(Exception):
    """A process that did not deliver; the message is short enough for a table."""


def seconds_of(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(
    first: Callable[[], object], second: Callable[[], object], repeats: int
) -> tuple[list[float], list[float]]:
    """Seconds of two pieces of work, one after the other, `repeats` times."""
    pairs = [(seconds_of(first), seconds_of(second)) for _ in range(repeats)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    limit: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What a process prints; its standard error is appended to `log`.

    It and all that it starts are ended when `limit` seconds have passed or we are interrupted.
    Raises FailedError saying why there is no output to be had.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise FailedError(f"not finished in {_duration(limit)}") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise FailedError(_why(process.returncode, log))
    return printed


def measured(command: Sequence[str | Path], **how: Any) -> dict[str, Any]:
    """The JSON that a process prints as its last line, or {"failed": why}."""
    try:
        return json.loads(run(command, **how).splitlines()[-1])
    except FailedError as error:
        return {"failed": str(error)}
    except (IndexError, ValueError):
        return {"failed": "printed no figures"}


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _why(status: int, log: Path) -> str:
    if status == -signal.SIGKILL:
        return "killed, probably for want of memory"
    lines = [line.strip() for line in log.read_text().splitlines() if line.strip()]
    return (lines[-1] if lines else f"exit status {status}")[:160]
