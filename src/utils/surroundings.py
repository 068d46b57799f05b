"""What a run ran in, so that it can be run again and a difference explained.

Code, locked packages, image or environment, Python, machine and threads. No host name, user name
or path: the file goes to whoever may see the run.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from core.paths import ROOT

FILE = "surroundings.json"
LOCKS = (ROOT / "poetry.lock", Path("/build/poetry.lock"))  # in a checkout, in an image
SHARED_CODE = ("core", "table_models", "datareader", "sql", "utils")  # what every image has
CODE_SUFFIXES = (".py", ".sql")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
LINEAGE = {  # environment variable: tag
    "RECARENA_RERUN_OF": "rerun_of",
    "RECARENA_PARENT_RUN": "mlflow.parentRunId",
}
SHOWN = 12  # characters of a checksum in a tag


def surroundings(pipeline: str, run: Mapping[str, object]) -> dict[str, Any]:
    """What this process runs in, as plain values, in sections.

    `run` is what the caller knows of the run itself: parameters, protocol, fingerprint.
    """
    packages = installed()
    return {
        "run": {"pipeline": pipeline, **run},
        "code": {**commit(), "sha256": code_sha256(pipeline)},
        "lock": {"sha256": lock_sha256()},
        "environment": {
            "kind": kind(),
            "image": os.environ.get("RECARENA_IMAGE") or None,
            "packages_sha256": sha256([f"{n}=={v}\n".encode() for n, v in packages.items()]),
        },
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
        },
        "system": {"platform": platform.platform()},
        "cpu": cpu(),
        "threads": threads(),
        "packages": packages,
    }


def write_surroundings(folder: Path, pipeline: str, run: Mapping[str, object]) -> None:
    """Write `surroundings.json`, and `environment.txt`: the packages as pip takes them."""
    found = surroundings(pipeline, run)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=2, default=str) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")
    head = f"# Python {platform.python_version()}, {platform.platform()}"
    lines = [head, *(f"{name}=={version}" for name, version in found["packages"].items())]
    (folder / "environment.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def tags(pipeline: str) -> dict[str, str]:
    """The few of them that runs are found by; what nobody knows is left out."""
    known = commit()
    found = {
        "git_commit": known["commit"],
        "git_dirty": None if known["dirty"] is None else str(known["dirty"]).lower(),
        "code": code_sha256(pipeline)[:SHOWN],
        "lock": (lock_sha256() or "")[:SHOWN],
        "image": os.environ.get("RECARENA_IMAGE"),
        "python": platform.python_version(),
        "cpu": cpu()["model"],
    }
    return {name: value for name, value in found.items() if value}


def lineage() -> dict[str, str]:
    """Which other runs a run belongs to, as those tell who start its process."""
    return {tag: os.environ[name] for name, tag in LINEAGE.items() if os.environ.get(name)}


@cache
def commit() -> dict[str, Any]:
    """The commit of the code and whether it was changed since; None where nobody knows.

    An image has no checkout; it is told when it is built, as `git describe` says it.
    """
    built = os.environ.get("RECARENA_COMMIT")
    if built:
        found, dash, _ = built.partition("-dirty")
        return {"commit": found, "dirty": bool(dash)}
    try:
        return {
            "commit": _git("rev-parse", "HEAD"),
            "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def _git(*args: str) -> str:
    command = ["git", "-C", str(ROOT), *args]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


@cache  # as it is when a run begins: it may be worked on before the run ends
def code_sha256(pipeline: str) -> str:
    """Checksum of the code that a recommender runs on, whatever is committed of it.

    The same in a checkout and in an image, which holds the code of its own recommender only.
    """
    folders = [ROOT / "src" / name for name in (*SHARED_CODE, f"pipelines/{pipeline}")]
    files = sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in CODE_SUFFIXES and file.is_file()
    )
    parts = (
        part
        for file in files
        for part in (f"{file.relative_to(ROOT).as_posix()}\0".encode(), file.read_bytes())
    )
    return sha256(parts)


def lock_sha256() -> str | None:
    """Checksum of the lock file that the packages were installed from, if it is here."""
    for file in LOCKS:
        if file.is_file():
            return sha256([file.read_bytes()])
    return None


def sha256(parts: Iterable[bytes]) -> str:
    """The checksum of some bytes, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def installed() -> dict[str, str]:
    """The version of every installed package, by its name, in the order of names."""
    found = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def kind() -> str:
    """What the packages are installed in."""
    if any(Path(file).exists() for file in ("/.dockerenv", "/run/.containerenv")):
        return "container"
    return "system" if sys.prefix == sys.base_prefix else "virtual environment"


def cpu() -> dict[str, Any]:
    """The processor, how many cores there are, and how many this process may use."""
    usable = os.cpu_count()
    if sys.platform == "linux":
        usable = len(os.sched_getaffinity(0))
    model = _cpu_model() or platform.processor() or platform.machine()
    kernels = sorted({one["architecture"] for one in threadpool_info() if "architecture" in one})
    return {
        "model": model,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "usable": usable,
        "blas_kernels": ", ".join(kernels),  # the same library sums in another order on each
    }


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None)


def threads() -> dict[str, Any]:
    """How many threads the libraries may use, and what the environment says about it."""
    found: dict[str, Any] = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    for one in threadpool_info():
        name = f"{one['prefix']} {one['version'] or ''}".strip()
        found[name] = one["num_threads"]
    numba = sys.modules.get("numba")
    found["numba"] = numba.get_num_threads() if numba else None
    return found
