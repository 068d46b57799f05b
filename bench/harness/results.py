"""What was measured, kept as JSON until the report is written."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.plan import Plan

PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "implicit", "gensim", "scikit-surprise")


def now() -> str:
    """The time, to the minute, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": _proc("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory": _memory(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _proc(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _memory() -> str:
    total = _proc("/proc/meminfo", "MemTotal").removesuffix(" kB")
    return f"{int(total) / 2**20:.0f} GiB" if total else "unknown"


def file_of(plan: Plan, part: str) -> Path:
    """Where the results of a part are kept."""
    return plan.work / "results" / f"{part}.json"


def save(plan: Plan, part: str, load: float, data: Any) -> None:
    """Keep what a part measured; `load` is the load average when it began."""
    record = {
        "part": part,
        "date": now(),
        "repeats": plan.repeats,
        "scale": plan.scale,
        "load": load,
        "machine": machine(),
        "data": data,
    }
    file = file_of(plan, part)
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_suffix(".part")
    written.write_text(json.dumps(record, indent=1))
    written.replace(file)


def stored(plan: Plan) -> dict[str, dict[str, Any]]:
    """All that was kept, by the name of the file."""
    folder = plan.work / "results"
    return {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
