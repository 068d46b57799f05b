"""Uploads that are there whole or not at all, whoever dies in the middle of one.

FTP tells the end of a file by closing its connection, and so does a client that is killed. A file
therefore takes its name only when it came to its end and the client is still there; until then it
is a file in a hidden folder, which the server empties when it starts.
"""

import io
import os
import shutil
import socket
import uuid
from pathlib import Path

from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import DTPHandler, FTPHandler

INCOMING = ".incoming"
SETTLE_SECONDS = 0.05  # in which the connections of a killed client are all closed


class Upload(io.BufferedWriter):
    """A file on its way; closing it gives it its name if `complete` was set, else removes it."""

    complete = False

    def __init__(self, target: Path, folder: Path) -> None:
        self.target, self.part = target, folder / uuid.uuid4().hex
        super().__init__(io.FileIO(self.part, "xb"), 1 << 20)

    @property
    def name(self) -> str:
        """The name that it will have."""
        return str(self.target)

    def close(self) -> None:
        """Have all of it, or nothing."""
        if self.closed:
            return
        try:
            super().close()
            if self.complete:
                self.part.replace(self.target)
        finally:
            self.part.unlink(missing_ok=True)


class Uploads(AbstractedFS):  # type: ignore[misc] # the library has no types
    """The files that the account sees, without the hidden folder."""

    def open(self, filename: str, mode: str) -> io.IOBase:
        """A file to read, or one to upload."""
        if not mode.startswith("w"):
            return super().open(filename, mode)
        target = Path(filename)
        if target.is_dir() or not target.parent.is_dir():  # to be refused before the upload
            return super().open(filename, mode)
        return Upload(target, incoming(Path(self.root)))

    def listdir(self, path: str) -> list[str]:
        """The names in a folder."""
        return [name for name in super().listdir(path) if name != INCOMING]

    def validpath(self, path: str) -> bool:
        """Whether the account may see it."""
        hidden = Path(os.path.realpath(self.root), INCOMING)
        inside: bool = super().validpath(path)
        return inside and not Path(os.path.realpath(path)).is_relative_to(hidden)


class Receiver(DTPHandler):  # type: ignore[misc]
    """A data connection that tells an upload whether it is complete."""

    ended = False

    def handle_close(self) -> None:
        """The client has closed the connection: see whether it closes the other one too."""
        if isinstance(self.file_obj, Upload) and not self.ended:
            self.ended = True
            self.del_channel()
            self.ioloop.call_later(SETTLE_SECONDS, self.handle_close, _errback=self.handle_error)
        else:
            super().handle_close()

    def close(self) -> None:
        """End the transfer."""
        if isinstance(self.file_obj, Upload):
            self.file_obj.complete = self.transfer_finished and still_there(self.cmd_channel)
        super().close()


def still_there(session: FTPHandler) -> bool:
    """Whether the client has not hung up its control connection."""
    try:
        return bool(session.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:  # it has nothing to say
        return True
    except OSError:
        return False


def incoming(root: Path) -> Path:
    """The hidden folder; on the same file system, so that a file can be moved from it."""
    return root / INCOMING


def forget_unfinished(root: Path) -> None:
    """Empty the hidden folder: what is in it when the server starts was never finished."""
    shutil.rmtree(incoming(root), ignore_errors=True)
    incoming(root).mkdir(mode=0o700, parents=True, exist_ok=True)
