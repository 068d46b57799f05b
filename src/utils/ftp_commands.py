"""What a client of the FTP server may say: few commands, in good order, a few times."""

from pathlib import Path
from typing import Any

from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.log import logger

from utils.ftp_digests import Digests, Reckoning
from utils.ftp_uploads import Receiver, TlsReceiver, Uploads, refusal, require_room
from utils.ports import can_bind, gateway

LONGEST_COMMAND = 2048
# Connections that the server opens (PORT), and changes of files that are there: nothing of ours
# needs them. What a client may not do by its account is refused besides.
LEFT_OUT = {"PORT", "EPRT", "APPE", "STOU", "MFMT", "SITE CHMOD"}
CHECKSUMS = {
    name: {"perm": "r", "auth": True, "arg": True, "help": f"Syntax: {name} <SP> file-name."}
    for name in ("XCRC", "XSHA256")
}


class Session(FTPHandler):  # type: ignore[misc] # the library has no types
    """One client's session; a client is told the address by which it reached the server."""

    abstracted_fs = Uploads
    dtp_handler = Receiver
    proto_cmds = {
        name: what for name, what in FTPHandler.proto_cmds.items() if name not in LEFT_OUT
    } | CHECKSUMS
    permit_foreign_addresses = False
    max_login_attempts = 3
    auth_failed_timeout = 3  # seconds before a wrong password is answered
    log_prefix = "%(remote_ip)s:%(remote_port)s"
    outside_address: str | None = None
    username: str
    _extra_feats: list[str]
    keep_free = 0
    announced: int | None = None  # bytes of the next upload
    digests = Digests()

    def on_connect(self) -> None:
        """Note which side of a container's network the client is on."""
        if self.outside_address and self.remote_ip == gateway():
            self.masquerade_address = self.outside_address

    def collect_incoming_data(self, data: bytes) -> None:
        """Hang up on a command that is too long: its rest must not be taken for another one."""
        if self._in_buffer_len + len(data) > LONGEST_COMMAND:
            self.respond_w_warning("500 Command too long.")
            self.close()
        else:
            super().collect_incoming_data(data)

    def handle_auth_success(self, home: str, password: str, msg_login: str) -> None:
        """Begin the session, without keeping the password."""
        super().handle_auth_success(home, "", msg_login)

    def handle_auth_failed(self, msg: str, password: str) -> None:
        """Let the client wait for its refusal, then hang up after a few."""
        name, self.username = self.username, ""
        self.attempted_logins += 1
        self.del_channel()
        self.ioloop.call_later(
            self.auth_failed_timeout, self._refuse_login, name, _errback=self.handle_error
        )

    def _refuse_login(self, name: str) -> None:
        if self._closed:
            return
        self.add_channel()
        self.log(f"USER {name!r} failed login.")
        self.respond("530 Authentication failed.")
        if self.attempted_logins >= self.max_login_attempts:
            self.close_when_done()

    def ftp_ALLO(self, line: str) -> None:  # noqa: N802
        """Note the size of the next upload: its end is then known from what came."""
        self.announced = int(line) if line.isdecimal() else None
        self.respond("202 No storage allocation necessary.")

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:  # noqa: N802 - the library's name
        """Store a file, if there is room."""
        try:
            require_room(Path(self.fs.root), self.keep_free)
        except OSError as error:
            self.respond_w_warning(refusal(error))
            return None
        return super().ftp_STOR(file, mode)

    def ftp_FEAT(self, line: str) -> None:  # noqa: N802
        """List the features."""
        self._extra_feats = [*self._extra_feats, *CHECKSUMS]
        super().ftp_FEAT(line)

    def ftp_XCRC(self, path: str) -> None:  # noqa: N802
        """Tell a file's CRC-32, known from its upload or reckoned now."""
        self._tell("XCRC", path)

    def ftp_XSHA256(self, path: str) -> None:  # noqa: N802
        """Tell a file's SHA-256, reckoned when it is asked for the first time."""
        self._tell("XSHA256", path)

    def _tell(self, command: str, path: str) -> None:
        try:
            if digest := self.digests.known(command, path):
                self.respond(f"250 {digest}")
            else:
                self._reckon(command, path, Reckoning(command, path))
        except OSError as error:
            self.respond(f"550 {error.strerror}.")

    def _reckon(self, command: str, path: str, reckoning: Reckoning) -> None:
        """Go on with a checksum; no other command of this client is read meanwhile."""
        if self._closed:
            return reckoning.close()
        if digest := reckoning.step():
            self.digests.keep(command, path, digest)
            self.add_channel()
            return self.respond(f"250 {digest}")
        self.del_channel()
        go_on = (self._reckon, command, path, reckoning)
        self.ioloop.call_later(0, *go_on, _errback=self.handle_error)
        return None

    def _make_epasv(self, extmode: bool = False) -> None:
        """Open a data port; only one of those that were configured, which may be published."""
        here = self.socket.getsockname()[0]
        if self.passive_ports and not any(can_bind(here, port) for port in self.passive_ports):
            self.respond_w_warning("425 All data ports are taken; try again.")
        else:
            super()._make_epasv(extmode)

    def log(self, msg: str, logfun: Any = logger.info) -> None:
        """Log a message; what a client made up shows as text, and in one line."""
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in msg)
        super().log(shown, logfun)


class TlsSession(Session, TLS_FTPHandler):  # type: ignore[misc]
    """The same, and nothing without TLS: neither a password nor a file."""

    dtp_handler = TlsReceiver
    proto_cmds = Session.proto_cmds | {
        name: TLS_FTPHandler.proto_cmds[name] for name in ("AUTH", "PBSZ", "PROT")
    }
    tls_control_required = True
    tls_data_required = True
