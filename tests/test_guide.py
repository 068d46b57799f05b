"""The guide to adding a recommender is followed, in a copy of the project."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import as_environment
from core.settings import Settings
from project_copy import ROOT, call, copy_project

GUIDE = (ROOT / "docs/adding-a-recommender.md").read_text()
NAME = "word_taste"
BLOCK = re.compile(
    r"(?:^`(?P<file>\S+)`(?P<end>, at its end)?:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    flags=re.MULTILINE | re.DOTALL,
)
ELSEWHERE = {"recarena up": "the tests' own services are running"}


@pytest.fixture(scope="module")
def project(reachable_folder: Callable[[], Path]) -> Path:
    return copy_project(reachable_folder() / "the project")


def written(project: Path, block: re.Match[str]) -> None:
    """Do with a block of code what the line before it says."""
    file = project / block["file"]
    assert file.is_file(), f"{file} was not made"
    before = file.read_text() + "\n\n" if block["end"] else ""
    file.write_text(before + block["text"])


def run(project: Path, line: str, services: dict[str, str]) -> str:
    command, _, expected = line.partition("  # ")
    command = re.sub(r"^recarena ", "python -m cli ", command)
    done = call(project, command, **services)
    said = f"{line}\n{done.stdout}\n{done.stderr}"
    assert (done.returncode != 0) == (expected == "fails"), said
    assert "Traceback" not in done.stderr, said
    return done.stdout


@pytest.mark.timeout(600)
def test_the_guide_leads_to_a_recommender_on_the_leaderboard(
    project: Path, own_services: Settings
) -> None:
    environment = as_environment(own_services).items()
    services = {k: v for k, v in environment if k.lower() in Settings.model_fields}
    said = {}
    for block in BLOCK.finditer(GUIDE):
        if block["file"]:
            written(project, block)
        for line in block["text"].splitlines() if block["kind"] == "sh" else ():
            if line not in ELSEWHERE:
                said[line] = run(project, line, services)
    check_what_was_said(said)
    new = f"src/pipelines/{NAME} tests/pipelines/test_{NAME}.py"
    for check in ("ruff format --check", "ruff check"):
        done = call(project, f"python -m {check} {new}")
        assert done.returncode == 0, done.stdout + done.stderr


def check_what_was_said(said: dict[str, str]) -> None:
    """The commands did what the guide says they do."""
    by_program = {line.split()[0] + " " + line.split()[1]: text for line, text in said.items()}
    failed = next(text for line, text in said.items() if line.endswith("# fails"))
    for test in ("beats_random_where_there_is_something", "everybody_gets_the_withheld_item"):
        assert "FAILED tests/pipelines/test_" in failed
        assert test in failed
    assert len(re.findall("^FAILED", failed, flags=re.MULTILINE)) == 2
    assert NAME in by_program["recarena leaderboard"]
    assert f"({NAME}), begun" in by_program["recarena recommend"]
    assert len(by_program["recarena recommend"].splitlines()) == 13


def test_the_guide_names_every_file_that_is_made() -> None:
    table = re.findall(r"^\| `(\S+)` \|", GUIDE, flags=re.MULTILINE)
    there = {file.name for file in (ROOT / "src/pipelines/popularity").glob("*.*")}
    assert {Path(file).name for file in table if "pipelines" in file} >= {
        name.replace("popularity", NAME) for name in there - {"__init__.py"}
    }
