"""Which names a recommender can have, and what is called by them."""

import keyword
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from core.errors import RecArenaError

NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")
LONGEST = 30  # characters of a name
RESERVED = ("all",)  # means every recommender on the command line


def recommenders() -> list[str]:
    """The names of all recommenders that there are here."""
    folder = Path(__file__).resolve().parents[1] / "pipelines"
    return sorted(file.parent.name for file in folder.glob("*/pipeline_*.py"))


def check_name(name: str, root: Path) -> None:
    """Raises RecArenaError saying why a recommender cannot have this name."""
    lower = name.lower()
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise RecArenaError(
            f"{name!r} is no name for a recommender: it takes a letter, then letters, digits and "
            f"single underscores, {LONGEST} characters at most"
        )
    if lower in RESERVED or keyword.iskeyword(name) or keyword.iskeyword(lower):
        raise RecArenaError(f"{name!r} is no name for a recommender: it has a meaning of its own")
    if lower in {module.lower() for module in sys.stdlib_module_names}:
        raise RecArenaError(f"{name!r} is a module of Python's own; choose another name")
    taken = {file.name.lower(): file for file in (root / "src/pipelines").iterdir()}
    if lower in taken:
        raise RecArenaError(f"{taken[lower]} is there already; choose another name")


def class_name(name: str) -> str:
    """The class of a recommender: `ItemMean` for `item_mean`, `SVD` for `SVD`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def check_class(title: str, texts: Iterable[str]) -> None:
    """Raises RecArenaError if a class `title` would hide one that files need themselves."""
    for text in texts:
        for module, imported in re.findall(r"^from (\S+) import (\w+)$", text, flags=re.M):
            if imported in (title, f"{title}Params"):
                raise RecArenaError(
                    f"its class would hide {module}.{imported}; choose another name"
                )
