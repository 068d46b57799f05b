"""The network between two services, which can be cut, slowed down, or torn off.

A server listens at 127.0.0.1; who is to reach it through a link is told the same port at 127.0.0.2,
which is this machine too (Linux). All ports of one server are one link.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

HERE, THERE = "127.0.0.1", "127.0.0.2"
PIECE = 1 << 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Link:
    """Passes connections to some ports of this machine on."""

    def __init__(self, ports: Iterable[int]) -> None:
        self.bytes = 0
        self.rate = 0.0
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._listening = [socket.create_server((THERE, port)) for port in ports]
        for listener in self._listening:
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Let nothing through; what is sent is not answered, as if the cable was out."""
        self._flows.clear()

    def mend(self) -> None:
        """Let everything through again, as fast as it goes."""
        self.rate = 0.0
        self._flows.set()

    def slow(self, rate: float) -> None:
        """Let so many bytes a second through, each way of each connection."""
        self.rate = rate

    def reset(self) -> None:
        """Tear every connection off."""
        for one in list(self._open):
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.shutdown(socket.SHUT_RDWR)
                one.close()

    def close(self) -> None:
        """End it."""
        for listener in self._listening:
            listener.close()
        self.mend()
        self.reset()

    def _serve(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._join, args=(client, port), daemon=True).start()

    def _join(self, client: socket.socket, port: int) -> None:
        self._flows.wait()
        try:
            server = socket.create_connection((HERE, port))
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            return
        self._open |= {client, server}
        there = threading.Thread(target=self._pump, args=(client, server), daemon=True)
        there.start()
        self._pump(server, client)
        there.join()
        self._open -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self._flows.wait()
                self.bytes += len(piece)
                if self.rate:
                    time.sleep(len(piece) / self.rate)
                target.sendall(piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
