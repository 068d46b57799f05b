"""The checksums of files that the FTP server received: none is read again to be checked."""

import os
from collections import OrderedDict

from utils.ftp_checksums import begin

KEPT = 4096
BLOCK = 4 << 20

Key = tuple[str, int, int, int, int]


class Digests:
    """Checksums by command and file; a file that is changed afterwards is another one."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, str] = OrderedDict()

    def keep(self, command: str, path: str, digest: str) -> None:
        """Note the checksum of a file; the oldest notes are forgotten."""
        self._known[_key(command, path)] = digest
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def known(self, command: str, path: str) -> str | None:
        """The checksum of a file, if it was noted; renaming does not matter."""
        return self._known.get(_key(command, path))


class Reckoning:
    """A file's checksum, reckoned block by block, so that others are served in between."""

    def __init__(self, command: str, path: str) -> None:
        self._file = open(path, "rb")  # noqa: PTH123, SIM115 - closed by `step` or `close`
        self._digest = begin(command)

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


def _key(command: str, path: str) -> Key:
    found = os.stat(path)  # noqa: PTH116 - paths are text in this library
    return command, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
