"""Which ports the local services get, and the file that tells every other process."""

import json
from collections.abc import Collection
from pathlib import Path

from core.errors import RecArenaError
from core.settings import Settings, is_loopback
from utils.ports import can_bind, check_port, free_port, reachable
from utils.service_record import write_atomically

PORTS = {"postgres": "db_port", "ftp": "ftp_port", "mlflow": "mlflow_tracking_port"}
HOSTS = {"postgres": "db_host", "ftp": "ftp_host", "mlflow": "mlflow_tracking_host"}
FILE = "services.json"


def with_addresses(
    settings: Settings, folder: Path, running: dict[str, int], last: dict[str, int]
) -> Settings:
    """The settings with the hosts and ports that the services run on, or are to.

    A port that was configured is kept; otherwise a running service keeps its own, one that ran
    gets its last one back, and a new one gets the default or, if that is taken, any free one.
    `running` and `last` are the ports of the services that run and that ran before.

    Raises RecArenaError for a configured host or port that cannot be had.
    """
    _refuse_other_hosts(settings)
    ports = {name: port for name in PORTS if (port := _configured(settings, name, folder))}
    for name, port in ports.items():
        if list(ports.values()).count(port) > 1:
            raise RecArenaError(f"{PORTS[name].upper()}={port} is another service's port too")
        if running.get(name) != port:
            check_port(settings.bind_host, port, PORTS[name].upper())
    for name in PORTS.keys() - ports.keys():
        wishes = [running.get(name), last.get(name), getattr(settings, PORTS[name])]
        ports[name] = _first_free(settings.bind_host, wishes, running.get(name), ports.values())
    host = reachable(settings.bind_host)
    hosts = dict.fromkeys(HOSTS.values(), host)
    return settings.model_copy(update=hosts | {PORTS[name]: ports[name] for name in PORTS})


def write_addresses(settings: Settings, real: Settings, folder: Path) -> None:
    """Tell every later `Settings.load()` the services' addresses."""
    fields = [*HOSTS.values(), *PORTS.values(), *["ftp_ca_file"] * real.ftp_tls]
    chosen = [field for name, field in PORTS.items() if not _configured(settings, name, folder)]
    content = {"settings": {field: getattr(real, field) for field in fields}, "chosen": chosen}
    write_atomically(folder / FILE, json.dumps(content, indent=2))


def _configured(settings: Settings, name: str, folder: Path) -> int | None:
    """The port of a service that the user configured; not one that we chose ourselves before."""
    field = PORTS[name]
    port: int = getattr(settings, field)
    return port if field in settings.model_fields_set and port != _chosen(folder, field) else None


def _chosen(folder: Path, field: str) -> int | None:
    """The port that an earlier `up` chose by itself and wrote down."""
    try:
        written = json.loads((folder / FILE).read_text())
        port: int = written["settings"][field]
        return port if field in written["chosen"] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _first_free(
    host: str, wishes: list[int | None], own: int | None, taken: Collection[int]
) -> int:
    for port in wishes:
        if port and port not in taken and (port == own or can_bind(host, port)):
            return port
    return free_port(host)


def _refuse_other_hosts(settings: Settings) -> None:
    for field in HOSTS.values():
        host = getattr(settings, field)
        here = is_loopback(host) or host in (settings.bind_host, reachable(settings.bind_host))
        if not here and field in settings.model_fields_set:
            raise RecArenaError(
                f"{field.upper()}={host} is another machine's: leave it out to run the service "
                "here, or leave out `recarena up` to use that one"
            )
