"""The checksums of files that the FTP server received: none is read again to be checked."""

import hashlib
import os
from collections import OrderedDict

KEPT = 4096
BLOCK = 4 << 20

Key = tuple[int, int, int, int]


class Digests:
    """SHA-256 by the file that was received; a file that is changed afterwards is another one."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, str] = OrderedDict()

    def keep(self, path: str, digest: str) -> None:
        """Note the checksum of a file; the oldest notes are forgotten."""
        self._known[_key(path)] = digest
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def known(self, path: str) -> str | None:
        """The checksum of a file, if it was noted; renaming does not matter."""
        return self._known.get(_key(path))


class Reckoning:
    """A file's checksum, reckoned block by block, so that others are served in between."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: PTH123, SIM115 - closed by `step` or `close`
        self._digest = hashlib.sha256()

    def step(self) -> str | None:
        """Read the next block; the checksum after the last one."""
        if block := self._file.read(BLOCK):
            self._digest.update(block)
            return None
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _key(path: str) -> Key:
    found = os.stat(path)  # noqa: PTH116 - paths are text in this library
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
