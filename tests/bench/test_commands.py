"""Wrong options are refused before anything is measured, and nothing measured is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["run.py", "rank", "--repeats", "0"], "--repeats takes 1 or more"),
        (["run.py", "rank", "--limit", "0"], "--limit more than 0"),
        (["run.py", "sizes", "--pipelines", "SVD,Foo"], "no pipeline Foo; there are BPR,"),
        (["run.py", "sizez"], "no part sizez; there are rank,"),
        (["containers.py", "--repeats", "0"], "--repeats takes 1 or more"),
        (["artifacts.py", "--repeats", "0"], "--repeats takes 1 or more"),
    ],
)
def test_a_wrong_option_is_refused(args: list[str], why: str) -> None:
    done = subprocess.run(
        [sys.executable, BENCH / args[0], *args[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert why in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
