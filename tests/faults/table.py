"""The table of faults in docs/reliability.md."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.paths import ROOT

DOCUMENT = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- faults -->", "<!-- end of faults -->"


@dataclass(frozen=True)
class Row:
    """One fault; `seconds` passed from its end until all was well, if there was such a time."""

    fault: str
    seen: str
    lost: str
    seconds: float | None

    def line(self, number: int) -> str:
        """The row in Markdown."""
        took = "-" if self.seconds is None else f"{self.seconds:.1f} s"
        cells = (str(number), self.fault, self.seen, self.lost, took)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def as_text(rows: Sequence[Row]) -> str:
    """The table."""
    head = ["| # | fault | what was seen | lost | recovery |", "|--:|---|---|---|--:|"]
    return "\n".join(head + [row.line(n) for n, row in enumerate(rows, 1)])


def write(rows: Sequence[Row]) -> None:
    """Put the table in the document that FAULTS_TABLE names, between its marks, if one is named."""
    wanted = os.environ.get("FAULTS_TABLE")
    if not wanted or not rows:
        return
    file = Path(wanted)
    text = file.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    file.write_text(f"{before}{BEGIN}\n\n{as_text(rows)}\n\n{END}{after}")
