"""What a run ran on, from the files that it left, as pairs of words."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Facts = dict[str, str]
OLD, NEW = "environment.txt", "surroundings.json"
CODE = "code, SHA-256"  # each recommender has code of its own
FILES = (NEW, OLD)  # the better one first
PACKAGES = (
    "numpy", "scipy", "scikit-learn", "numba", "implicit", "gensim", "scikit-surprise",
    "threadpoolctl", "pyarrow", "psycopg2-binary", "sqlalchemy", "mlflow", "mlflow-skinny",
)  # fmt: skip
"""Packages that can change a number or lose one; a run's file has all."""


def facts_of(file: Path | None = None) -> tuple[Facts, Facts]:
    """Machine and package versions, from one of `FILES` that a run left.

    What cannot be read is left out: a report is no place to fail for it.
    """
    if file is None:
        return {}, {}
    try:
        text = file.read_text(encoding="utf-8")
        return _new(json.loads(text)) if file.name == NEW else _old(text.splitlines())
    except (OSError, ValueError, AttributeError, TypeError):
        return {}, {}


def _old(lines: list[str]) -> tuple[Facts, Facts]:
    """Of `environment.txt`: a comment with Python and system, then the packages."""
    head = lines[0].removeprefix("# ") if lines and lines[0].startswith("#") else ""
    pairs = dict(line.split("==", 1) for line in lines if "==" in line)
    return ({"Python and system": head} if head else {}), _packages(pairs)


def _new(found: Mapping[str, Any]) -> tuple[Facts, Facts]:
    """Of `surroundings.json`."""
    cpu, code = found.get("cpu", {}), found.get("code", {})
    environment, python = found.get("environment", {}), found.get("python", {})
    threads = found.get("threads", {})
    cores = [cpu.get("usable"), cpu.get("cores")]
    facts = {
        "Python": python.get("version"),
        "system": found.get("system", {}).get("platform"),
        "processor": cpu.get("model"),
        "cores": "{} of {} usable".format(*cores) if all(cores) else None,
        "environment": environment.get("kind"),
        "image": environment.get("image"),
        "threads at most": max((n for n in threads.values() if isinstance(n, int)), default=None),
        "lock, SHA-256": _start(found.get("lock", {}).get("sha256")),
        CODE: _start(code.get("sha256")),
    }
    said = {name: str(value) for name, value in facts.items() if value}
    return said, _packages(found.get("packages", {}))


def _start(checksum: str | None) -> str | None:
    return checksum[:12] if checksum else None


def _packages(versions: Mapping[str, Any]) -> Facts:
    lower = {str(name).lower(): str(version) for name, version in versions.items()}
    return {name: lower[name] for name in PACKAGES if name in lower}
