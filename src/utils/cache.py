"""Where that is kept which can be had again."""

import json
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from core.paths import LOCAL

CACHE = LOCAL / "cache"


def cache_folder() -> Path:
    """`.recarena/cache`; where that cannot be written, a folder of this process's own.

    No shared one: others could put files there.
    """
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=CACHE):
            return CACHE
    except OSError:
        return Path(_temporary_cache().name)


@cache
def _temporary_cache() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="recarena-cache-")


def kept(file: Path) -> Any:
    """The JSON in a file of the cache; None if there is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def keep(file: Path, content: object) -> None:
    """Write JSON to a file of the cache, whole or not at all; it need not succeed."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=file.parent, prefix=".part-")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(content, out)
        Path(part).replace(file)
