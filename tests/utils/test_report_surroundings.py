"""What a run ran on, from the files that it left."""

import json
from pathlib import Path

import pytest

from utils.report.surroundings_facts import CODE, NEW, OLD, facts_of
from utils.surroundings import write_surroundings


def test_what_a_run_writes_is_read(tmp_path: Path) -> None:
    write_surroundings(tmp_path, "SVD", {})
    facts, packages = facts_of(tmp_path / NEW)
    written = json.loads((tmp_path / NEW).read_text())
    assert facts["Python"] == written["python"]["version"]
    assert facts["processor"] == written["cpu"]["model"]
    assert facts[CODE] == written["code"]["sha256"][:12]
    assert packages["numpy"] == written["packages"]["numpy"]
    older, same = facts_of(tmp_path / OLD)
    assert older["Python and system"].startswith("Python 3.")
    assert same == packages


@pytest.mark.parametrize("text", ["", "[]", '{"cpu": 3}', "{", "null", '{"packages": []}'])
def test_another_file_is_no_reason_to_fail(tmp_path: Path, text: str) -> None:
    (tmp_path / NEW).write_text(text)
    (tmp_path / OLD).write_text(text)
    assert facts_of(tmp_path / NEW)[1] == {}
    assert facts_of(tmp_path / OLD)[1] == {}
    assert facts_of(tmp_path / "no such file") == ({}, {})
    assert facts_of(None) == ({}, {})
