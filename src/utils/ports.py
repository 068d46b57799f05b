"""TCP addresses of this machine: is a port free, which one is, and how clients get there."""

import random
import socket
import struct
from pathlib import Path

from core.errors import RecArenaError

FREE_PORTS = range(15000, 29000)  # below what systems hand out to outgoing connections
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def reachable(host: str) -> str:
    """The address by which this machine's clients reach a server that listens on `host`."""
    return LOOPBACK_OF.get(host, host)


def in_url(host: str) -> str:
    """A host as URLs and Host headers write it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def can_bind(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # as servers do: a port whose last connection just ended is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    """A port that nobody listens on; chosen at random, so that two callers seldom meet."""
    for port in random.sample(FREE_PORTS, 100):
        if can_bind(host, port):
            return port
    raise RecArenaError(f"{host}: no port to listen on; is BIND_HOST an address of this machine?")


def check_port(host: str, port: int, setting: str) -> None:
    """Raises RecArenaError naming the setting when a port cannot be listened on."""
    if not can_bind(host, port):
        raise RecArenaError(
            f"port {port} on {host} cannot be used (taken by another program, or not allowed): "
            f"set {setting} to another one, or leave it out for any free one"
        )


def gateway(table: Path = Path("/proc/net/route")) -> str | None:
    """The router of a container's network, from which connections to published ports come."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return None
    routes = [row[2] for row in rows if row[1] == "00000000"]
    return socket.inet_ntoa(struct.pack("=L", int(routes[0], 16))) if routes else None
