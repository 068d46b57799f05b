"""A link to an FTP server that is mended when it breaks: what may pass is tried again."""

import errno
import ftplib
import random
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

from utils.ftp_address import Address
from utils.ftp_limits import Limits
from utils.ftp_session import Missing, Session

Result = TypeVar("Result")
NETWORK = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETRESET,
}
PASSING = (
    ConnectionError, TimeoutError, EOFError, socket.gaierror, ssl.SSLError,
    ftplib.error_temp, ftplib.error_proto, ftplib.error_reply,
)  # fmt: skip


def may_pass(error: BaseException) -> bool:
    """Whether the same may work later: the network's faults and the server's 4xx, but no refusal
    (5xx), no certificate that is not trusted, and no fault of a local file."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return False
    if isinstance(error, PASSING):
        return True
    return isinstance(error, OSError) and error.errno in NETWORK


class Link(AbstractContextManager["Link"]):
    """Opens a session when one is needed, and closes it at the end whatever happens."""

    def __init__(self, address: Address, limits: Limits) -> None:
        self._address, self._limits = address, limits
        self._session: Session | None = None

    def do(self, action: Callable[[Session], Result]) -> Result:
        """What the action returns, tried again in a new session when it fails for what may pass.

        Raises the last failure.
        """
        failed = 0
        while True:
            try:
                if self._session is None:
                    self._session = Session(self._address, self._limits)
                return action(self._session)
            except Missing:
                raise
            except BaseException as error:
                self.close()
                failed += 1
                if failed > self._limits.retries or not may_pass(error):
                    raise
            # at random, so that those who failed together do not come back together
            time.sleep(self._limits.pause(failed) * random.uniform(0.5, 1))  # noqa: S311

    def close(self) -> None:
        """End the session, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
