"""Making a report: read, rank, write, and log."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import RecArenaError
from core.settings import Settings
from utils.report.collect import collect
from utils.report.data import Report
from utils.report.page import render
from utils.report.publish import publish

STDOUT = Path("-")


@dataclass(frozen=True, eq=False)
class Made:
    """A report that was written to `file` and logged to the MLflow run at `address`."""

    report: Report
    file: Path
    address: str
    size: int
    seconds: float

    def __str__(self) -> str:
        ranked, left_out = len(self.report.ranked), len(self.report.left_out)
        runs = f"{ranked} run" if ranked == 1 else f"{ranked} runs"
        others = f", {left_out} left out (it says why)" if left_out else ""
        return (
            f"report of {runs} on {self.report.dataset}{others}: {self.file}, "
            f"{self.size / 1e6:.2f} MB in {self.seconds:.1f} s"
        )


def make(
    settings: Settings, out: Path, *, schema: str | None = None, like: str | None = None
) -> Made:
    """Write the report on the runs that `collect` finds to `out`, `-` for standard output, and log
    it to MLflow.

    Raises RecArenaError if there is nothing to report, or it cannot be written or logged; it is
    written first, so that it is there if MLflow does not take it.
    """
    start = time.perf_counter()
    _check(out)
    report = collect(settings, schema, like)
    page = render(report)
    content = page.encode("utf-8", errors="replace")
    try:
        if out == STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
        else:
            out.write_bytes(content)
    except OSError as error:
        raise RecArenaError(f"{out} cannot be written: {error.strerror}") from None
    try:
        address = publish(settings, report, content)
    except RecArenaError as error:
        raise RecArenaError(f"the report is in {out}, but not in MLflow: {error}") from None
    return Made(report, out, address, len(content), time.perf_counter() - start)


def _check(out: Path) -> None:
    """Refuse a place that cannot be written to before any work is done."""
    if out == STDOUT:
        return
    if out.is_dir():
        raise RecArenaError(f"--out {out} is a folder; give the name of a file in it")
    if not out.absolute().parent.is_dir():
        raise RecArenaError(f"--out {out}: there is no folder {out.absolute().parent}; make it")
