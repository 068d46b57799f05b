"""MLflow's artifacts on an FTP server: `ftp://` and `ftps://`, in place of MLflow's own store.

MLflow loads this class by its entry point (`mlflow.artifact_repository` in pyproject.toml), in the
MLflow server. What goes wrong is told as an MlflowException whose HTTP status makes clients try
again only what may pass, and never shows the account. (docs/decisions/0009-artifact-store.md)
"""

import ftplib
import os
import posixpath
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mlflow.entities.file_info import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    ABORTED,
    DATA_LOSS,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHENTICATED,
)
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.host_policy import (
    host_addressed_rejection_message,
    is_tracking_server_process,
)

from core.errors import first_line
from utils.ftp_address import Address, inside, without_account
from utils.ftp_limits import Limits
from utils.ftp_link import Link, may_pass
from utils.ftp_session import Damaged, Missing, Session, code

STORAGE_FULL = {452, 552}
PROBLEMS = (ftplib.Error, OSError, EOFError, ValueError)


class FtpArtifactRepository(ArtifactRepository):
    """The artifacts below one folder of an FTP server."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        # the base class shows its address in messages that go to clients
        super().__init__(without_account(artifact_uri), tracking_uri, registry_uri)
        with self._told(""):
            self._address = Address.parse(artifact_uri)
        _require_own_server(self._address)
        self._limits = Limits.load()

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Store a file in a folder; readers see all of it or nothing."""
        with self._told(local_file), self._link() as link:
            self._put(link, Path(local_file), self._folder(artifact_path))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Store all the files below a local folder, and its empty folders."""
        top = self._folder(artifact_path)
        with self._told(local_dir), self._link() as link:
            for folder, _, names in os.walk(local_dir):
                relative = Path(folder).relative_to(local_dir).as_posix()
                there = inside(top, relative)
                if not names:
                    link.do(partial(Session.make_folders, folder=there))
                for name in sorted(names):
                    self._put(link, Path(folder, name), there)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """What is in a folder; nothing for a file or for what is not there."""
        folder = self._folder(path)
        with self._told(path), self._link() as link:
            found = link.do(lambda session: session.entries(folder)) or []
        above = posixpath.relpath(folder, self._address.root)
        names = [one.name if above == "." else posixpath.join(above, one.name) for one in found]
        return [
            FileInfo(name, one.is_folder, one.size) for name, one in zip(names, found, strict=True)
        ]

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file or a folder with all its content, and the folders that are empty then."""
        target = self._folder(artifact_path)
        with self._told(artifact_path), self._link() as link:
            if target == "/":
                raise ValueError("the whole artifact store is not deleted at once")
            link.do(lambda session: session.remove(target))

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        source = self._folder(remote_file_path)
        part = Path(f"{local_path}.{uuid.uuid4().hex}.part")
        try:
            with self._told(remote_file_path), self._link() as link, part.open("w+b") as file:
                link.do(lambda session: session.get(source, file))
            part.replace(local_path)
        finally:
            part.unlink(missing_ok=True)

    def _put(self, link: Link, file: Path, folder: str) -> None:
        target = inside(folder, file.name)

        def send(session: Session) -> None:
            with file.open("rb") as source:
                session.put(source, target)

        link.do(send)

    def _link(self) -> Link:
        return Link(self._address, self._limits)

    def _folder(self, path: str | None) -> str:
        with self._told(path):
            return inside(self._address.root, path)

    @contextmanager
    def _told(self, what: str | None) -> Iterator[None]:
        """Raise what goes wrong as MLflow's exception with the fitting code."""
        try:
            yield
        except Missing:
            raise MlflowException(f"No such artifact: {what!r}", RESOURCE_DOES_NOT_EXIST) from None
        except UnicodeError as error:
            raise MlflowException(first_line(error), INVALID_PARAMETER_VALUE) from None
        except PROBLEMS as error:
            number = _error_code(error)
            if number is None:
                raise
            where = self._address.shown if hasattr(self, "_address") else "artifact store"
            raise MlflowException(f"{where}: {first_line(error)}", number) from error


def _require_own_server(address: Address) -> None:
    """Raise MLflow's exception when its server is to connect, by `ftps`, to a host that a client
    named. MLflow itself knows this rule for `ftp` alone (`host_policy`)."""
    if not (address.tls and is_tracking_server_process()):
        return
    own = os.environ.get("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "")
    if own.startswith("ftps:"):
        known = Address.parse(own)
        if (known.host, known.port) == (address.host, address.port):
            return
    message = host_addressed_rejection_message("ftps", uri=address.shown)
    raise MlflowException(message, INVALID_PARAMETER_VALUE)


def _error_code(error: Exception) -> int | None:
    """MLflow's code for a failure; None for one of a local file."""
    if isinstance(error, ftplib.Error) and code(error) in STORAGE_FULL:
        return int(ABORTED)  # HTTP 409: trying again does not make room
    kinds = [
        (Damaged, DATA_LOSS),
        (ftplib.error_perm, PERMISSION_DENIED),
        (ssl.SSLCertVerificationError, UNAUTHENTICATED),
        (ValueError, INVALID_PARAMETER_VALUE),
    ]
    for kind, number in kinds:
        if isinstance(error, kind):
            return int(number)
    return int(TEMPORARILY_UNAVAILABLE) if may_pass(error) else None
