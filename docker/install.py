"""Install packages and all that they need, at the locked versions and by their hashes.

    python install.py FOLDER NAME...              # FOLDER holds poetry.lock and requirements.txt
    python install.py FOLDER --of pyproject.toml  # what that project depends on

The lock knows which package needs which, its export has a line with hashes for each. Images are
built with this; it needs nothing but pip and Python's standard library.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

WITHOUT_WHEEL = "pyftpdlib"


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(lock: dict, names: list[str]) -> set[str]:
    """The names and everything that they depend on, on whatever system.

    Raises SystemExit naming a package that is not locked.
    """
    packages = {normal(one["name"]): one.get("dependencies", {}) for one in lock["package"]}
    found: set[str] = set()
    todo = [normal(name) for name in names]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        if name not in packages:
            sys.exit(f"{name} is not in poetry.lock: add it to pyproject.toml and lock again")
        found.add(name)
        todo += [normal(other) for other, how in packages[name].items() if not is_optional(how)]
    return found


def is_optional(how: object) -> bool:
    """Whether a dependency comes with an extra only; nothing here is wanted with extras."""
    return isinstance(how, dict) and bool(how.get("optional"))


def lines(export: str, names: set[str]) -> str:
    """The export's entries of the packages: version, systems that need it, hashes."""
    entries = re.split(r"\n(?=\S)", export.strip())
    chosen = [one for one in entries if normal(re.split(r"[\s=;\[]", one)[0]) in names]
    return "\n".join(chosen) + "\n"


def wanted(args: list[str]) -> list[str]:
    """The names that the command line asks for."""
    if args[:1] != ["--of"]:
        return args
    project = tomllib.loads(Path(args[1]).read_text())["project"]
    return [re.split(r"[\s<>=!~;\[]", one)[0] for one in project["dependencies"]]


def main(folder: Path, args: list[str]) -> None:
    """Install; ends with pip's status."""
    lock = tomllib.loads((folder / "poetry.lock").read_text())
    export = (folder / "requirements.txt").read_text()
    text = lines(export, needed(lock, wanted(args)))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    options = ["--root-user-action=ignore", "--no-cache-dir", "--require-hashes", "--no-deps"]
    # nothing is compiled; what has no wheel is pure Python, packed by the image's own setuptools
    options += ["--only-binary=:all:", f"--no-binary={WITHOUT_WHEEL}", "--no-build-isolation"]
    command = [*pip, *options, "-r", "/dev/stdin"]
    done = subprocess.run(command, input=text, text=True, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
