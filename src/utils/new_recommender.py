"""The files of a new recommender: all of them or none."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from string import Template

from core.errors import RecArenaError
from core.paths import ROOT
from utils.project_edits import LIKE, renamed, with_row, with_stanza
from utils.recommender_names import check_class, check_name, class_name

TEMPLATES = Path(__file__).parent / "templates"
COPIED = ("__init__.py", "pyproject.toml", "Dockerfile")  # from LIKE, but for names


@dataclass(frozen=True)
class Plan:
    """Texts of files that are made, and of files that are changed.

    `by_hand` names what the person has to do, because a file is not there or not as expected.
    """

    new: dict[Path, str]
    changed: dict[Path, str]
    by_hand: list[str]


def make(name: str, root: Path = ROOT) -> Plan:
    """Write the files of a recommender `name` into the project at `root`, and say which.

    Raises RecArenaError, having written nothing, if the name will not do, a file is there
    already, or one cannot be written.
    """
    made = plan(name, root)
    try:
        with ExitStack() as undo:
            for file, text in made.new.items():
                _write_new(file, text, undo)
            for file, text in made.changed.items():
                undo.callback(_replace, file, file.read_text(encoding="utf-8"))
                _replace(file, text)
            undo.pop_all()
    except OSError as error:
        where = error.filename or root
        raise RecArenaError(f"{where}: {error.strerror}; nothing was made") from None
    return made


def _write_new(file: Path, text: str, undo: ExitStack) -> None:
    """Write a file that is not there yet, and its folder; `undo` removes them again."""
    if not file.parent.is_dir():
        file.parent.mkdir()
        undo.callback(file.parent.rmdir)
    with file.open("x", encoding="utf-8") as out:
        undo.callback(file.unlink)
        out.write(text)


def _replace(file: Path, text: str) -> None:
    """Put another text into a file in one step."""
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        shutil.copymode(file, part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def plan(name: str, root: Path) -> Plan:
    """What `make` would write. Raises RecArenaError if the name will not do."""
    check_name(name, root)
    new = _copied(name, root) | _from_templates(name, root)
    check_class(class_name(name), new.values())
    for file in new:
        if file.exists():
            raise RecArenaError(f"{file} is there already; choose another name or remove it")
    changed: dict[Path, str] = {}
    by_hand: list[str] = []
    for file, edit, what in (
        (root / "docker-compose.yml", with_stanza, f"add a service pipeline_{name.lower()}"),
        (root / "README.md", with_row, f"add a row for `{name}` to the table of recommenders"),
    ):
        text = edit(file.read_text(encoding="utf-8"), name) if file.is_file() else None
        if text is None:
            by_hand.append(f"{what} ({file.name} is not there, or none of the kind is in it)")
        else:
            changed[file] = text
    return Plan(new, changed, by_hand)


def _copied(name: str, root: Path) -> dict[Path, str]:
    """The files that are LIKE's but for names."""
    like, folder = (root / "src/pipelines" / one for one in (LIKE, name))
    return {
        folder / file: renamed((like / file).read_text(encoding="utf-8"), name)
        for file in COPIED
        if (like / file).is_file()
    }


def _from_templates(name: str, root: Path) -> dict[Path, str]:
    """The files to begin with."""
    folder, lower = root / "src/pipelines" / name, name.lower()
    words = {"name": name, "title": class_name(name)}
    files = {
        folder / "model.py": "model.py",
        folder / f"pipeline_{lower}.py": "pipeline.py",
        folder / "pipeline_params.env": "pipeline_params.env",
        root / f"tests/pipelines/test_{lower}.py": "test.py",
    }
    return {file: _template(source).substitute(words) for file, source in files.items()}


def _template(name: str) -> Template:
    return Template((TEMPLATES / f"{name}.template").read_text(encoding="utf-8"))
