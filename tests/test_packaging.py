"""pyproject, lock, exports and documents say the same."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LOCK = tomllib.loads((ROOT / "poetry.lock").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED: dict[str, dict[str, Any]] = {one["name"]: one for one in LOCK["package"]}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def exported(file: str) -> dict[str, tuple[str, set[str]]]:
    """Version and hashes of every package in an export."""
    found = {}
    for entry in (ROOT / file).read_text().replace("\\\n", " ").splitlines():
        hashes = set(re.findall(r"--hash=(\S+)", entry))
        requirement = Requirement(entry.partition("--hash")[0].strip())
        (version,) = requirement.specifier
        found[normal(requirement.name)] = (version.version, hashes)
    return found


@pytest.mark.parametrize(
    ("file", "groups"), [("requirements.txt", {"main"}), ("requirements-dev.txt", {"main", "dev"})]
)
def test_the_export_is_that_of_the_lock(file: str, groups: set[str]) -> None:
    expected = {
        normal(name): (one["version"], {source["hash"] for source in one["files"]})
        for name, one in LOCKED.items()
        if groups & set(one["groups"])
    }
    assert exported(file) == expected


def test_the_lock_meets_every_requirement() -> None:
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    for requirement in map(Requirement, wanted):
        version = LOCKED[normal(requirement.name)]["version"]
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"
    assert LOCK["metadata"]["python-versions"] == PROJECT["project"]["requires-python"]


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "docs/dependencies.md").read_text()
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    explained = {
        name.strip()
        for line in text.splitlines()
        if line.startswith("| ")
        for name in line.split("|")[1].split(",")
    }
    assert {Requirement(one).name for one in wanted} <= explained


def test_pipelines_need_nothing_that_is_not_locked() -> None:
    for file in (ROOT / "src/pipelines").glob("*/pyproject.toml"):
        project = tomllib.loads(file.read_text())["project"]
        assert project["requires-python"] == PROJECT["project"]["requires-python"]
        for requirement in map(Requirement, project["dependencies"]):
            assert requirement.specifier.contains(LOCKED[normal(requirement.name)]["version"])


def test_the_changelog_names_the_version_or_what_is_unreleased() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{PROJECT['project']['version']}]" in text


def test_there_is_no_init_in_the_migrations() -> None:
    assert not (ROOT / "alembic/__init__.py").exists(), "it would hide the package alembic"


def test_locked_packages_are_installed_without_looking_for_others() -> None:
    commands = [line for line in (ROOT / "Makefile").read_text().splitlines() if "hashes" in line]
    assert commands
    assert all("--no-deps" in line for line in commands), "a newer release would break the install"
