"""`recarena new`: names that will do, and files that are all there or not at all."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from core.errors import RecArenaError
from project_copy import ROOT
from utils import new_recommender
from utils.new_recommender import make
from utils.project_edits import renamed, with_row, with_stanza
from utils.recommender_names import LONGEST, class_name

COMPOSE = """\
x-pipeline: &pipeline
  read_only: true

services:
  db:
    image: postgres

  pipeline_popularity:
    <<: *pipeline
    build: {<<: *build, dockerfile: src/pipelines/popularity/Dockerfile}
    profiles: [pipeline_popularity, pipelines]

  pipeline_svd:
    <<: *pipeline

volumes:
  runs:
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As much of a project as a new recommender touches."""
    shutil.copytree(ROOT / "src/pipelines/popularity", tmp_path / "src/pipelines/popularity")
    (tmp_path / "src/pipelines/popularity/Dockerfile").write_text(
        'COPY src/pipelines/popularity x\nENTRYPOINT ["pipelines.popularity.pipeline_popularity"]\n'
    )
    (tmp_path / "tests/pipelines").mkdir(parents=True)
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    return tmp_path


def files(folder: Path) -> dict[str, str]:
    there = {file for file in folder.rglob("*") if "__pycache__" not in file.parts}
    return {str(file): file.read_text() if file.is_file() else "" for file in there}


def test_everything_is_made(project: Path) -> None:
    before = files(project)
    made = make("Item_mean", project)
    folder = project / "src/pipelines/Item_mean"
    assert {file.name for file in folder.iterdir()} == {
        "__init__.py",
        "model.py",
        "pipeline_item_mean.py",
        "pipeline_params.env",
        "pyproject.toml",
        "Dockerfile",
    }
    after = files(project)
    assert set(after) - set(before) == {str(file) for file in made.new} | {str(folder)}
    assert {file for file in before if before[file] != after[file]} == {
        str(project / "README.md"),
        str(project / "docker-compose.yml"),
    }
    assert made.by_hand == []
    assert "class ItemMean(Recommender)" in (folder / "model.py").read_text()
    wanted = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert wanted["name"] == "recarena-pipeline-item-mean"
    assert (folder / "Dockerfile").read_text() == (
        'COPY src/pipelines/Item_mean x\nENTRYPOINT ["pipelines.Item_mean.pipeline_item_mean"]\n'
    )


@pytest.mark.parametrize("name", ["x", "UMCF2", "a_" + "b" * (LONGEST - 2), "A" * LONGEST])
def test_what_is_made_is_python_in_the_house_style(project: Path, name: str) -> None:
    made = make(name, project)
    code = [str(file) for file in made.new if file.suffix == ".py"]
    for file in code:
        ast.parse(Path(file).read_text())
    shutil.copy(ROOT / "pyproject.toml", project)
    for imported in ("src/core", "src/utils/runner.py", "tests/tiny_datasets.py"):
        copy = shutil.copytree if (ROOT / imported).is_dir() else shutil.copy
        (project / imported).parent.mkdir(exist_ok=True)
        copy(ROOT / imported, project / imported)
    for check in (["format", "--check"], ["check"]):
        command = [sys.executable, "-m", "ruff", *check, "--no-cache", *code]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_service_comes_after_the_last_one() -> None:
    stanza = """\

  pipeline_item_mean:
    <<: *pipeline
    build: {<<: *build, dockerfile: src/pipelines/Item_mean/Dockerfile}
    profiles: [pipeline_item_mean, pipelines]
"""
    head, volumes, tail = COMPOSE.partition("\nvolumes:")
    assert with_stanza(COMPOSE, "Item_mean") == head + stanza + volumes + tail
    assert with_stanza(head, "Item_mean") == head + stanza
    assert with_stanza("services:\n  db:\n    image: postgres\n", "Item_mean") is None


def test_the_row_ends_the_table_of_recommenders() -> None:
    table = "## Recommenders\n\nWords.\n\n| name | what | so |\n|---|---|---|\n| `a` | b | c |\n"
    text = f"| `a` | another table |\n\n{table}\nMore.\n"
    expected = text.replace("b | c |\n", "b | c |\n| `new` | see its `model.py` | - |\n")
    assert with_row(text, "new") == expected
    assert with_row(table, "new") == table + "| `new` | see its `model.py` | - |\n"
    assert with_row("## Recommenders\n\nNone.\n\n## Others\n\n| a |\n|---|\n", "new") is None


def test_the_readme_of_the_project_gets_its_row(project: Path) -> None:
    make("Item_mean", project)
    lines = (project / "README.md").read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("| `Item_mean` |"))
    above = lines[place - 1]
    assert above.startswith("| `")
    assert lines[place].count("|") == above.count("|")


def test_names_are_replaced_once() -> None:
    text = "pipelines.popularity.pipeline_popularity recarena-pipeline-popularity"
    assert renamed(text, "Popularity_B") == (
        "pipelines.Popularity_B.pipeline_popularity_b recarena-pipeline-popularity-b"
    )


def test_names_of_classes() -> None:
    names = {"item_mean": "ItemMean", "SVD": "SVD", "LDA_contents": "LDAContents", "x2": "X2"}
    assert {name: class_name(name) for name in names} == names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "takes a letter"),
        ("item-mean", "takes a letter"),
        ("2nd", "takes a letter"),
        ("_a", "takes a letter"),
        ("a_", "takes a letter"),
        ("a__b", "takes a letter"),
        ("../up", "takes a letter"),
        ("größe", "takes a letter"),
        ("a\n", "takes a letter"),
        ("a" * (LONGEST + 1), "takes a letter"),
        ("all", "a meaning of its own"),
        ("lambda", "a meaning of its own"),
        ("None", "a meaning of its own"),
        ("email", "a module of Python's own"),
        ("Statistics", "a module of Python's own"),
        ("Popularity", r"src/pipelines/popularity is there already"),
        ("dataset", r"would hide core\.dataset\.Dataset"),
        ("pipeline", r"would hide \w+\.\w+\.Pipeline"),
        ("contract", r"tests/pipelines/test_contract\.py is there already"),
    ],
)
def test_a_name_that_will_not_do_is_one_line_and_makes_nothing(
    project: Path, name: str, message: str
) -> None:
    (project / "tests/pipelines/test_contract.py").touch()
    before = files(project)
    with pytest.raises(RecArenaError, match=message) as refused:
        make(name, project)
    assert "\n" not in str(refused.value)
    assert files(project) == before


@pytest.mark.parametrize("broken", ["model.py", "test_item_mean.py", "README.md"])
def test_a_failure_leaves_nothing(
    project: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(project)
    written = Path.open

    def full(file: Path, *args: object, **more: object) -> object:
        opened = written(file, *args, **more)  # type: ignore[call-overload]
        if file.name in (broken, f".{broken}.part") and opened.writable():
            opened.write = write_half
        return opened

    def write_half(text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(RecArenaError, match=r"No space left on device; nothing was made"):
        make("Item_mean", project)
    monkeypatch.undo()
    assert files(project) == before


def test_an_interrupt_leaves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(project)
    replace = new_recommender._replace
    calls: list[Path] = []

    def interrupted(file: Path, text: str) -> None:
        replace(file, text)
        calls.append(file)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(new_recommender, "_replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make("Item_mean", project)
    assert files(project) == before
    assert len(calls) == 4


def test_what_is_not_there_is_said(project: Path) -> None:
    (project / "docker-compose.yml").unlink()
    (project / "README.md").write_text("# Mine\n")
    made = make("Item_mean", project)
    assert made.changed == {}
    compose, readme = made.by_hand
    assert "pipeline_item_mean" in compose
    assert "README.md" in readme
