"""Uploads that are there whole or not at all, whoever dies in the middle of one.

FTP tells the end of a file by closing its connection, and so does a client that is killed. A file
therefore takes its name only when it came to its end and the client is still there; until then it
is a file in a hidden folder, which the server empties when it starts.
"""

import errno
import io
import os
import shutil
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

from pyftpdlib.exceptions import FilesystemError, _FileReadWriteError
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler
from pyftpdlib.log import logger

from utils.ftp_address import PART
from utils.ftp_checksums import QUICK, begin
from utils.ftp_digests import Digests

INCOMING = ".incoming"
SETTLE_SECONDS = 0.05  # in which the connections of a killed client are all closed
LOOK_BYTES = 16 << 20  # between two looks at the room on the disk
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
BUFFER = 64 << 10  # smaller than what comes at once, which is then written without a copy
TLS_ENDED = 2  # OpenSSL's SSL_RECEIVED_SHUTDOWN: the client said that this is all


class Upload(io.BufferedWriter):
    """A file on its way; closing it gives it its name if `complete` was set, else removes it."""

    complete = False
    announced: int | None = None  # bytes that the client said it would send

    def __init__(self, target: Path, folder: Path, keep_free: int, digests: Digests) -> None:
        self.target, self.part = target, folder / uuid.uuid4().hex
        self._keep_free, self._digests = keep_free, digests
        self._digest, self._received, self._looked = begin(QUICK), 0, 0
        super().__init__(io.FileIO(self.part, "xb"), BUFFER)

    @property
    def name(self) -> str:
        """The name that it will have."""
        return str(self.target)

    def write(self, data: Any) -> int:
        """Take what came. Raises OSError when the disk is full, or would be too full."""
        self._received += len(data)
        if self._received - self._looked > LOOK_BYTES:
            self._looked = self._received
            require_room(self.part.parent, self._keep_free)
        self._digest.update(data)
        return super().write(data)

    def all_came(self) -> bool:
        """Whether as many bytes came as the client had said."""
        return self._received == self.announced

    def close(self) -> None:
        """Have all of it, or nothing. Raises OSError when the disk is full."""
        if self.closed:
            return
        try:
            super().close()
            if self.complete:
                self.part.replace(self.target)
                self._digests.keep(QUICK, self.name, self._digest.hexdigest())
        finally:
            self.part.unlink(missing_ok=True)


class Uploads(AbstractedFS):  # type: ignore[misc] # the library has no types
    """The files that an account sees, without the hidden folder."""

    def open(self, filename: str, mode: str) -> io.IOBase:
        """A file to read, or one to upload; files are replaced whole, never changed."""
        if mode.startswith("r") and "+" not in mode:
            return super().open(filename, mode)
        if not mode.startswith("w"):
            raise FilesystemError("Files are replaced whole, not continued")
        target = Path(filename)
        if target.is_dir() or not target.parent.is_dir():  # to be refused before the upload
            return super().open(filename, mode)
        session = self.cmd_channel
        upload = Upload(target, incoming(Path(self.root)), session.keep_free, session.digests)
        upload.announced, session.announced = session.announced, None
        return upload

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
    transfer_finished: bool
    ac_in_buffer_size = 256 << 10

    def handle_close(self) -> None:
        """The client has closed the connection: see whether it closes the other one too, unless
        all that it had announced is here."""
        upload = self.file_obj
        if isinstance(upload, Upload) and not upload.all_came() and not self.ended:
            self.ended = True
            self.del_channel()
            self.ioloop.call_later(SETTLE_SECONDS, self.handle_close, _errback=self.handle_error)
        else:
            super().handle_close()

    def handle_error(self) -> None:
        """Say that the disk is full, if that is what went wrong."""
        error = sys.exc_info()[1]
        if isinstance(error, _FileReadWriteError) and isinstance(error.__cause__, OSError):
            self._resp = (refusal(error.__cause__), logger.warning)
            self.close()
        else:
            super().handle_error()

    def close(self) -> None:
        """End the transfer."""
        if isinstance(self.file_obj, Upload) and not self.file_obj.closed:
            self.file_obj.complete = self.transfer_finished and self.is_whole()
            try:
                self.file_obj.close()
            except OSError as error:
                self.transfer_finished = False
                self._resp = (refusal(error), logger.warning)
        super().close()

    def is_whole(self) -> bool:
        """Whether the client ended it, rather than died."""
        return self.file_obj.all_came() or still_there(self.cmd_channel)


class TlsReceiver(Receiver, TLS_DTPHandler):  # type: ignore[misc]
    """The same over TLS, whose end nobody but the client can tell."""

    def send(self, data: bytes) -> int:
        """Send it; OpenSSL takes nothing, sent, for an end."""
        return int(super().send(data)) if data else 0

    def is_whole(self) -> bool:
        """Whether the client ended it, rather than died or was cut off."""
        return bool(self.socket.get_shutdown() & TLS_ENDED)


def refusal(error: OSError) -> str:
    """The answer to an upload that could not be written."""
    if error.errno in FULL:
        return "552 No space left; nothing was stored."
    return f"451 {error.strerror or 'The file could not be written'}; nothing was stored."


def require_room(folder: Path, keep_free: int) -> None:
    """Raises OSError (ENOSPC) unless more than that many bytes are free."""
    if shutil.disk_usage(folder).free <= keep_free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
    """Remove what was never finished: nobody is connected when the server starts."""
    shutil.rmtree(incoming(root), ignore_errors=True)
    incoming(root).mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder, _, names in os.walk(root):
        for name in filter(PART.fullmatch, names):
            Path(folder, name).unlink(missing_ok=True)
