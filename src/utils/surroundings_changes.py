"""What changed between the surroundings of two runs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import RecArenaError, first_line


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was, e.g. `packages.numpy`; None where it was not known."""

    name: str
    before: str | None
    after: str | None


def read(file: Path) -> dict[str, Any]:
    """What `write_surroundings` wrote. Raises RecArenaError if it is something else."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecArenaError(f"{file.name} cannot be read: {first_line(error)}") from None
    if not isinstance(found, dict):
        raise RecArenaError(f"{file.name} cannot be read: it holds no sections")
    return found


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Everything that differs, in the order of the file; values as text."""
    first, second = dict(_flat(before)), dict(_flat(after))
    names = [*first, *(name for name in second if name not in first)]
    pairs = ((name, first.get(name), second.get(name)) for name in names)
    return [Change(*one) for one in pairs if one[1] != one[2]]


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str | None]]:
    """Every value of nested sections by its path."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, None if value is None else str(value)
