"""A second name for a file instead of a copy."""

import os
import shutil


def link_or_copy(source: str, target: str) -> str:
    """Another name for a file; a copy of it where the file system cannot do so."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
