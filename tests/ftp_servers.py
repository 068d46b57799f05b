"""FTP servers for the tests: ours, which can be killed, and others with faults built in."""

import ftplib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from core.paths import ROOT
from utils.ports import free_port

HOST, USER, PASSWORD = "127.0.0.1", "store", "secret"
INCOMING = ".incoming"


class Server:
    """The server as a process; it can be killed and started again on the same files."""

    def __init__(self, folder: Path, *, largest_file_kib: int | None = None, **more: str) -> None:
        self.largest_file_kib = largest_file_kib
        self.folder, self.root, self.port = folder, folder / "root", free_port(HOST)
        self.more = more
        self.uri = f"ftp://{USER}:{PASSWORD}@{HOST}:{self.port}/"
        self.start()

    def start(self) -> None:
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT / "src"),
            "FTP_PORT": str(self.port),
            "FTP_USER_NAME": USER,
            "FTP_USER_PASS": PASSWORD,
            "FTP_ROOT": str(self.root),
        } | self.more
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "utils.ftp_server"]
            if self.largest_file_kib:  # writing more fails in the system, as on a full disk
                limit = f'ulimit -f {self.largest_file_kib}; exec "$@"'
                command = ["bash", "-c", limit, "-", *command]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_until(self.answers)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(10)

    def session(self, user: str = USER, password: str = PASSWORD) -> ftplib.FTP:
        session = ftplib.FTP(timeout=20)
        session.connect(HOST, self.port)
        session.login(user, password)
        return session

    def parts(self) -> list[Path]:
        return list((self.root / INCOMING).iterdir())

    def received(self) -> int:
        with suppress(OSError):  # it may go while we look
            return sum(part.stat().st_size for part in self.parts())
        return 0


def wait_until(holds: Callable[[], object]) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to that")


class OtherServer:
    """A pyftpdlib server in a thread of this process, with a handler of the test's own."""

    def __init__(self, root: Path, handler: type[FTPHandler], permissions: str) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        authorizer = DummyAuthorizer()
        authorizer.add_user(USER, PASSWORD, str(root), perm=permissions)
        own = {"authorizer": authorizer, "auth_failed_timeout": 0}
        self.ioloop = IOLoop()
        self.server = FTPServer((HOST, 0), type("Own", (handler,), own), ioloop=self.ioloop)
        self.port: int = self.server.socket.getsockname()[1]
        self.uri = f"ftp://{USER}:{PASSWORD}@{HOST}:{self.port}/"

    def connections(self) -> int:
        """The connections that are open, of whatever kind."""
        return len(self.ioloop.socket_map) - 1

    def serve(self, stop: Event) -> None:
        while not stop.is_set():
            self.server.serve_forever(timeout=0.02, blocking=False)


@contextmanager
def other_server(
    root: Path, handler: type[FTPHandler] = FTPHandler, permissions: str = "elrdfmw"
) -> Iterator[OtherServer]:
    """It answers as long as the context lasts."""
    server, stop = OtherServer(root, handler, permissions), Event()
    thread = Thread(target=server.serve, args=(stop,))
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join(10)
        server.server.close_all()
