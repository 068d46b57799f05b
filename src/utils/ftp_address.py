"""Where an FTP artifact store is, and which paths in it a client may name.

An artifact's path comes from whoever calls the MLflow server. It goes into a command line of FTP,
where a line break would begin another command, and below the store's root, which it must not leave.
"""

import posixpath
import re
import uuid
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

MAX_BYTES = 1024  # servers cut command lines at 2,048 bytes and take the rest for another command
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
PART = re.compile(r"\.[0-9a-f]{32}\.part")


@dataclass(frozen=True)
class Address:
    """An artifact store: server, account and the folder that is its root."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    root: str
    tls: bool

    @classmethod
    def parse(cls, uri: str) -> Self:
        """The address that `ftp://user:password@host:port/root` or `ftps://...` means.

        User, password and path are percent-decoded. Raises ValueError, which does not show the
        password, for anything else.
        """
        try:
            found = urlsplit(uri, allow_fragments=False)
            port = found.port or 21
        except ValueError:
            raise ValueError("an FTP address with a wrong host or port") from None
        if found.scheme not in {"ftp", "ftps"}:
            raise ValueError(f"{found.scheme}: is not ftp or ftps")
        if found.query:
            raise ValueError("an FTP address has no query; write ? as %3F")
        account = unquote(found.username or ""), unquote(found.password or "")
        if any(CONTROL.search(text) for text in account):
            raise ValueError("an FTP account cannot have control characters")
        root = "/" + inside("", unquote(found.path).strip("/")).lstrip("/")
        return cls(found.hostname or "localhost", port, *account, root, found.scheme == "ftps")

    @property
    def shown(self) -> str:
        """The address without the account."""
        scheme = "ftps" if self.tls else "ftp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def without_account(uri: str) -> str:
    """An address without user and password, which messages may show."""
    found = urlsplit(uri, allow_fragments=False)
    _, _, place = found.netloc.rpartition("@")
    return SplitResult(found.scheme, place, found.path, found.query, "").geturl()


def inside(root: str, path: str | None) -> str:
    """The whole path of an artifact path below the root; the root itself for none.

    Empty parts and `.` mean nothing. Raises ValueError for a path that is absolute, that has a
    `..`, a control character or a name for unfinished uploads, that is no Unicode, or too long.
    """
    path = path or ""
    try:
        length = len(f"{root}/{path}".encode())
    except UnicodeEncodeError:
        raise ValueError("an artifact path must be Unicode text") from None
    if length > MAX_BYTES:
        raise ValueError(f"an artifact path of {length} bytes is too long (at most {MAX_BYTES})")
    if CONTROL.search(path):
        raise ValueError(f"artifact path {path!r}: control characters are refused")
    if path.startswith("/"):
        raise ValueError(f"artifact path {path!r}: must not be absolute")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ValueError(f"artifact path {path!r}: must not leave its folder by '..'")
    if any(PART.fullmatch(part) for part in parts):
        raise ValueError(f"artifact path {path!r}: is the name of an unfinished upload")
    return posixpath.join(root, *parts)


def unfinished(folder: str) -> str:
    """A new name for a file that is on its way into a folder."""
    return posixpath.join(folder, f".{uuid.uuid4().hex}.part")
