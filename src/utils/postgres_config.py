"""The configuration of the local PostgreSQL: reachable as told, tuned for bulk loads."""

import shutil
from pathlib import Path

import psutil

MIB = 2**20


def write_config(base: Path, host: str, port: int) -> Path:
    """Write the configuration of the cluster in `base/data`; returns its file.

    It lies outside the cluster, whose files belong to the account that runs the server.
    """
    access, config = base / "hba.conf", base / "postgres.conf"
    # who may connect is decided by the address listened on; everybody needs the password
    _write(access, ["host all all all scram-sha-256"])
    options = {"listen_addresses": _quote(host), "port": str(port), "hba_file": _quote(access)}
    options |= _tuning(base)
    lines = [f"{name} = {value}" for name, value in options.items()]
    _write(config, ["# written anew at each start", *lines])
    return config


def _tuning(base: Path) -> dict[str, str]:
    memory = psutil.virtual_memory().total // MIB
    disk = shutil.disk_usage(base).free // MIB
    return {
        # no socket file: its folder could lack the length or the permissions
        "unix_socket_directories": "''",
        # results do not depend on the machine's time zone or language
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "lc_messages": "'C'",
        # a data set's hot pages stay in memory; a laptop keeps room for the models
        "shared_buffers": f"{_within(256, memory // 8, 1024)}MB",
        # sorts of an index build in memory
        "maintenance_work_mem": f"{_within(64, memory // 16, 512)}MB",
        # the split's window sort in memory, or nearly
        "work_mem": "64MB",
        # what the operating system's cache is likely to hold: planner's guess, reserves nothing
        "effective_cache_size": f"{max(512, memory // 2)}MB",
        # COPY into a table made in the same transaction writes no WAL at all
        "wal_level": "minimal",
        "max_wal_senders": "0",
        # a load is not interrupted by checkpoints, unless the disk is too small for it
        "max_wal_size": f"{_within(1024, disk // 8, 8192)}MB",
        "checkpoint_timeout": "30min",
        # solid-state disks; the default 4 makes the planner shun the split's index
        "random_page_cost": "1.1",
        # compiling costs more than it saves at this size; plans are the same everywhere
        "jit": "off",
    }


def _within(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def _quote(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _write(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o644)  # holds no secret, and the server's account must read it
