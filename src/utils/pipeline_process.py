"""A run in a process of its own, so that its memory is its own."""

import subprocess
import sys
from collections.abc import Mapping, Sequence

from core.paths import ROOT
from utils.runner import child_environment


def run_process(
    module: str,
    args: Sequence[str],
    variables: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> int:
    """Exit status of a pipeline's process; an interrupt first lets it end its run.

    `variables` are added to its environment; `stdout` is a file descriptor for what it says.
    """
    command = [sys.executable, "-m", module, *args]
    environment = child_environment() | dict(variables or {})
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stdout) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
