"""One FTP session: what the artifact store does with a server, each step bounded in time.

Files are sent under another name, checked, and then renamed, so that nobody ever sees a part.
Problems are those of `ftplib` and of sockets; `utils.ftp_link` knows which of them may pass.
"""

import ftplib
import hashlib
import os
import posixpath
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedRandom, BufferedReader
from typing import BinaryIO

from utils.ftp_address import PART, Address, unfinished
from utils.ftp_checksums import PROOFS, QUICK, Checksum, begin, told
from utils.ftp_limits import Limits

BLOCK = 256 << 10  # stays in the processor's cache until it is summed and sent
GRACE_SECONDS = 5.0  # for the server's last words after it ended a transfer


class Missing(Exception):  # noqa: N818 - it is no fault
    """There is no such file."""


class Damaged(ftplib.error_temp):
    """What arrived is not what was sent."""


class Vanished(ftplib.error_temp):
    """The folder went away while a file was on its way into it."""


@dataclass(frozen=True)
class Entry:
    """A name in a folder; the size is that of a file, in bytes."""

    name: str
    is_folder: bool
    size: int | None


class Session:
    """A logged-in session; close it. Every method may raise `ftplib.Error`, OSError, EOFError."""

    def __init__(self, address: Address, limits: Limits) -> None:
        self._limits = limits
        self._ftp = log_in(address, limits)
        try:
            self._features = self._ask_features()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up, without a word: the server may not listen."""
        self._ftp.close()

    def put(self, source: BufferedReader, target: str) -> None:
        """Store a file whole: sent under another name, checked, renamed.

        Raises Damaged when other bytes arrived, Vanished when the folder was deleted meanwhile.
        """
        folder = posixpath.dirname(target)
        self.make_folders(folder)
        part = unfinished(folder)
        try:
            self._send_checked(source, part)
            self._ftp.rename(part, target)
        except ftplib.Error as error:
            with suppress(*ftplib.all_errors):
                self._ftp.delete(part)
            if isinstance(error, ftplib.error_perm) and not self.is_folder(folder):
                raise Vanished(f"450 {folder} was deleted meanwhile") from error
            raise

    def get(self, path: str, target: BufferedRandom) -> None:
        """Append to `target` what of the file is not in it yet.

        A second call goes on where the first was cut off, if the server can prove with a checksum
        that both parts are of one file; else it begins again. Raises Missing.
        """
        size = self.size(path)
        have = target.seek(0, 2)
        if have and (not self._offered(PROOFS) or size is None or have > size):
            have = target.truncate(0)
            target.seek(0)
        try:
            self._receive(path, target, have)
        except ftplib.error_perm:
            if size is None and not self._is_listed(path):
                raise Missing(path) from None
            raise
        got = target.tell()
        if size is not None and got != size:
            raise Damaged(f"450 {path}: {got} of {size} bytes came")
        if have and self._told(self._offered(PROOFS), path) != _digest(target):
            target.truncate(0)
            raise Damaged(f"450 {path}: was replaced while it was being read")

    def size(self, path: str) -> int | None:
        """Bytes of a file; None if the server cannot say. Raises Missing."""
        try:
            self._ftp.voidcmd("TYPE I")
            return self._ftp.size(path)
        except ftplib.error_perm as error:
            if code(error) in {500, 502, 504}:
                return None
            raise Missing(path) from None

    def entries(self, folder: str, *, parts: bool = False) -> list[Entry] | None:
        """What is in a folder, sorted by name; None if there is no such folder.

        Unfinished uploads are left out unless `parts`.
        """
        try:
            found = self._mlsd(folder) if "MLST" in self._features else self._nlst(folder)
        except ftplib.error_perm:
            if self.is_folder(folder):
                raise
            return None
        if found is None:
            return None
        proper = [one for one in found if one.name not in {"", ".", ".."} and "/" not in one.name]
        chosen = [one for one in proper if parts or not PART.fullmatch(one.name)]
        return sorted(chosen, key=lambda one: one.name)

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there and may be entered."""
        try:
            self._ftp.cwd(path)
        except ftplib.error_perm:
            return False
        return True

    def make_folders(self, folder: str) -> None:
        """Make a folder and those above it; somebody else may make them at the same time."""
        if folder == "/" or self.is_folder(folder):
            return
        self.make_folders(posixpath.dirname(folder))
        try:
            self._ftp.mkd(folder)
        except ftplib.error_perm:
            if not self.is_folder(folder):
                raise

    def remove(self, path: str) -> None:
        """Delete a file, or a folder with all that is in it, and then the folders above it that
        are empty now. What is not there is deleted already."""
        entries = self.entries(path, parts=True)
        if entries is None:
            self._remove_file(path)
        else:
            self._remove_folder(path, entries)
        above = posixpath.dirname(path)
        with suppress(ftplib.error_perm):  # one that is not empty ends it
            while above != "/":
                self._ftp.rmd(above)
                above = posixpath.dirname(above)

    def _remove_folder(self, folder: str, entries: list[Entry]) -> None:
        for entry in entries:
            path = posixpath.join(folder, entry.name)
            if entry.is_folder:
                self._remove_folder(path, self.entries(path, parts=True) or [])
            else:
                self._remove_file(path)
        try:
            self._ftp.rmd(folder)
        except ftplib.error_perm:
            if self.is_folder(folder):
                raise

    def _remove_file(self, path: str) -> None:
        try:
            self._ftp.delete(path)
        except ftplib.error_perm:
            with suppress(Missing):
                self.size(path)
                raise

    def _offered(self, commands: tuple[str, ...]) -> list[str]:
        return [command for command in commands if command in self._features]

    def _told(self, commands: list[str], path: str) -> str | None:
        """A file's checksum by the server's own reckoning, if one of the commands tells it."""
        for command in commands:
            with self._waiting(self._limits.transfer), suppress(ftplib.error_perm):
                if found := told(command, self._ftp.sendcmd(f"{command} {path}")):
                    return found
        return None

    def _ask_features(self) -> set[str]:
        try:
            answer = self._ftp.sendcmd("FEAT")
        except ftplib.error_perm:
            return set()
        return {line.split()[0].upper() for line in answer.splitlines()[1:-1] if line.strip()}

    def _mlsd(self, folder: str) -> list[Entry]:
        found = self._ftp.mlsd(folder, ["type", "size"])
        kinds = [
            (name, facts.get("type", "file").lower(), facts.get("size")) for name, facts in found
        ]
        return [
            Entry(name, kind == "dir", int(size) if size and kind != "dir" else None)
            for name, kind, size in kinds
            if kind not in {"cdir", "pdir"}
        ]

    def _nlst(self, folder: str) -> list[Entry] | None:
        """The same from a server without MLSD, one question for each name."""
        if not self.is_folder(folder):
            return None
        names: list[str] = []
        with suppress(ftplib.error_perm):  # what some say of an empty folder
            names = [posixpath.basename(name) for name in self._ftp.nlst(folder)]
        return [self._entry(folder, name) for name in names]

    def _is_listed(self, path: str) -> bool:
        folder, name = posixpath.split(path)
        return any(entry.name == name for entry in self.entries(folder) or [])

    def _entry(self, folder: str, name: str) -> Entry:
        path = posixpath.join(folder, name)
        if self.is_folder(path):
            return Entry(name, True, None)
        with suppress(Missing):
            return Entry(name, False, self.size(path))
        return Entry(name, False, None)

    def _send(self, source: BufferedReader, path: str, digest: Checksum | None) -> int:
        """Send the whole file; its number of bytes."""
        source.seek(0)
        size, buffer = 0, memoryview(bytearray(BLOCK))
        with suppress(ftplib.error_perm):  # ours knows then when all has come, and waits no longer
            self._ftp.sendcmd(f"ALLO {os.fstat(source.fileno()).st_size}")
        with self._transfer(f"STOR {path}") as connection:
            while count := source.readinto(buffer):
                block = buffer[:count]
                _send_all(connection, block)
                size += count
                if digest:
                    digest.update(block)
        return size

    def _receive(self, path: str, target: BinaryIO, offset: int) -> None:
        with self._transfer(f"RETR {path}", offset or None) as connection:
            buffer = memoryview(bytearray(BLOCK))
            while count := connection.recv_into(buffer):
                target.write(buffer[:count])

    def _send_checked(self, source: BufferedReader, path: str) -> None:
        """Send the whole file, and compare its size and, if the server tells one, a checksum."""
        commands = self._offered((QUICK,)) or self._offered(PROOFS)
        digest = begin(commands[0]) if commands else None
        size = self._send(source, path, digest)
        found = self.size(path)
        if found not in {None, size}:
            raise Damaged(f"450 {path}: {found} of {size} bytes arrived")
        if digest and self._told(commands, path) not in {None, digest.hexdigest()}:
            raise Damaged(f"450 {path}: other bytes arrived than were sent")

    @contextmanager
    def _transfer(self, command: str, offset: int | None = None) -> Iterator[socket.socket]:
        """A data connection, ended in order: then the server's answer is awaited too."""
        self._ftp.voidcmd("TYPE I")
        connection = self._ftp.transfercmd(command, offset)
        connection.settimeout(self._limits.transfer)
        try:
            with connection:
                yield connection
                if isinstance(connection, ssl.SSLSocket):
                    connection.unwrap()
        except (ConnectionError, ssl.SSLError):
            self._last_words()
            raise
        with self._waiting(self._limits.transfer):
            self._ftp.voidresp()

    def _last_words(self) -> None:
        """Raise the server's reason for ending a transfer, if it gives one."""
        with suppress(OSError, EOFError), self._waiting(GRACE_SECONDS):
            self._ftp.voidresp()

    @contextmanager
    def _waiting(self, seconds: float) -> Iterator[None]:
        """Wait that long for the server's next answers."""
        control = self._ftp.sock
        if control is None:
            raise EOFError
        control.settimeout(seconds)
        yield
        control.settimeout(self._limits.connect)


def code(error: Exception) -> int:
    """The number that an FTP server's answer begins with, or 0."""
    found = re.match(r"\d{3}", str(error))
    return int(found[0]) if found else 0


def log_in(address: Address, limits: Limits) -> ftplib.FTP:
    """A logged-in client, encrypted and sure of the server's name for `ftps`; close it."""
    ftp: ftplib.FTP
    if address.tls:
        context = ssl.create_default_context(cafile=limits.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        ftp = ftplib.FTP_TLS(context=context, timeout=limits.connect)  # noqa: S321
    else:
        ftp = ftplib.FTP(timeout=limits.connect)  # noqa: S321 - the artifacts' protocol
    try:
        ftp.connect(address.host, address.port)
        ftp.login(address.user, address.password)
        if isinstance(ftp, ftplib.FTP_TLS):
            ftp.prot_p()
    except BaseException:
        ftp.close()
        raise
    return ftp


def _send_all(connection: socket.socket, rest: memoryview) -> None:
    """Send it; `sendall` would bound the time for all of it, but a slow server does not hang."""
    while rest:
        rest = rest[connection.send(rest) :]


def _digest(file: BufferedRandom) -> str:
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0, 2)
    return found
