"""The artifact store beside MLflow's own: python bench/artifacts.py [--repeats 3] [--megabytes 500]

Uploads and downloads one large file, in turns, each in a process of its own whose peak memory is
read afterwards; ours also with a tenth of the size, and encrypted. MLflow's own store talks to a
plain pyftpdlib server, ours to ours, which also reckons checksums.
Writes bench/.work/results/artifacts.json, which `bench/run.py report` takes up.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

from utils.ports import free_port  # noqa: E402 - found by the path above

HOST, GOAL = "127.0.0.1", 1.3
# what a process does: prints seconds and its peak memory in MiB
WORK = """
import resource, sys, time
what, kind, uri, file = sys.argv[1:]
if kind == "mlflow":
    from mlflow.store.artifact.ftp_artifact_repo import FTPArtifactRepository as Store
else:
    from utils.ftp_artifacts import FtpArtifactRepository as Store
store = Store(uri)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.perf_counter()
if what == "upload":
    store.log_artifact(file, "run")
else:
    store._download_file("run/model", file + ".came")
seconds = time.perf_counter() - begin
print(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
PLAIN = """
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_user("store", "secret", sys.argv[2], perm="elradfmw")
FTPServer(("127.0.0.1", int(sys.argv[1])), FTPHandler).serve_forever()
"""


@contextmanager
def server(kind: str, folder: Path) -> Iterator[str]:
    """The address of a running server: "plain", "ours" or "tls"."""
    port, root = free_port(HOST), folder / kind
    root.mkdir()
    given = {
        "FTP_PORT": str(port),
        "FTP_USER_NAME": "store",
        "FTP_USER_PASS": "secret",
        "FTP_ROOT": str(root),
        "FTP_TLS": str(kind == "tls"),
        "FTP_CERTIFICATE": str(folder / "ftp.crt"),
        "FTP_KEY": str(folder / "ftp.key"),
        "FTP_CERTIFICATE_HOSTS": HOST,
        "PYTHONPATH": str(ROOT / "src"),
    }
    command = ["-m", "utils.ftp_server"] if kind != "plain" else ["-c", PLAIN, str(port), root]
    process = subprocess.Popen(
        [sys.executable, *command], env=os.environ | given, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    break
            time.sleep(0.05)
        yield f"{'ftps' if kind == 'tls' else 'ftp'}://store:secret@{HOST}:{port}/"
    finally:
        process.terminate()
        process.wait()


def work(what: str, kind: str, uri: str, file: Path) -> tuple[float, float]:
    """Seconds, and MiB that its memory grew by at most."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "FTP_CA_FILE": str(file.parent / "ftp.crt"),
    }
    command = [sys.executable, "-W", "ignore", "-c", WORK, what, kind, uri, file]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, memory = done.stdout.split()
    if what == "download":
        came = Path(f"{file}.came")
        if came.stat().st_size != file.stat().st_size:
            sys.exit(f"{kind}: {came.stat().st_size} bytes came")
        came.unlink()
    return float(seconds), float(memory)


def measure(folder: Path, megabytes: int, repeats: int) -> dict[str, Any]:
    """Seconds and MiB of everything, by `upload ours` and the like."""
    sizes = {"": megabytes, " small": max(1, megabytes // 10)}
    files = {}
    for name, size in sizes.items():
        files[name] = folder / f"of {size}" / "model"
        files[name].parent.mkdir()
        with files[name].open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(10**6))
    found: dict[str, list[tuple[float, float]]] = {}
    with (
        server("plain", folder) as plain,
        server("ours", folder) as ours,
        server("tls", folder) as tls,
    ):
        contestants = {"mlflow": ("mlflow", plain), "ours": ("ours", ours), "tls": ("ours", tls)}
        for size in files.values():
            (size.parent / "ftp.crt").symlink_to(folder / "ftp.crt")
        for _ in range(repeats):
            for name, (kind, uri) in contestants.items():
                for what in ("upload", "download"):
                    key = f"{what} {name}"
                    found.setdefault(key, []).append(work(what, kind, uri, files[""]))
            for what in ("upload", "download"):
                found.setdefault(f"{what} small", []).append(
                    work(what, "ours", ours, files[" small"])
                )
    return {"megabytes": megabytes, "repeats": repeats, "found": found}


def table(measured: dict[str, Any]) -> str:
    """The section of the report."""
    found, megabytes = measured["found"], measured["megabytes"]

    def of(key: str, index: int) -> float:
        return statistics.median(one[index] for one in found[key])

    lines = [
        "## Artifact store",
        "",
        f"One file of {megabytes} MB, medians of {measured['repeats']}, in turns. MLflow's own "
        "store with a plain pyftpdlib server; ours with ours, checked by CRC-32.",
        "",
        "| | MLflow's own | ours | ratio | goal: at most | | ours, encrypted |",
        "|---|---|---|---|---|---|---|",
    ]
    for what in ("upload", "download"):
        own, ours, tls = (of(f"{what} {name}", 0) for name in ("mlflow", "ours", "tls"))
        met = "met" if ours / own <= GOAL else "**missed**"
        row = f"| {what} | {own:.2f} s | {ours:.2f} s | {ours / own:.2f} | {GOAL} | {met} |"
        lines.append(f"{row} {tls:.2f} s |")
    memory = [
        f"{what} {of(f'{what} small', 1):.1f} and {of(f'{what} ours', 1):.1f} MiB"
        for what in ("upload", "download")
    ]
    small = max(1, megabytes // 10)
    lines += [
        "",
        f"Memory beyond the start, for {small} and {megabytes} MB: {', '.join(memory)}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=500)
    given = parser.parse_args()
    if given.repeats < 1 or given.megabytes < 1:
        parser.error("--repeats takes 1 or more, and so does --megabytes")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.megabytes, given.repeats)
    target = ROOT / "bench/.work/results/artifacts.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    found["markdown"] = table(found)
    target.write_text(json.dumps(found, indent=2) + "\n")
    print(found["markdown"])


if __name__ == "__main__":
    main()
