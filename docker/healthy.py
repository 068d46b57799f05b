"""Ends with status 0 if the service in this container answers as its clients ask it.

    python healthy.py ftp | mlflow

Run every few seconds, so it imports next to nothing.
"""

import ftplib
import json
import os
import sys
import urllib.request
from pathlib import Path

SECONDS = 4


def ftp() -> None:
    """Log in and list the root over a data connection."""
    file = os.environ.get("FTP_USER_PASS_FILE")
    password = Path(file).read_text().rstrip("\r\n") if file else os.environ["FTP_USER_PASS"]
    with ftplib.FTP(timeout=SECONDS) as server:  # noqa: S321 - the artifacts' protocol
        server.connect("127.0.0.1", int(os.environ["FTP_PORT"]))
        server.login(os.environ["FTP_USER_NAME"], password)
        server.nlst()


def mlflow() -> None:
    """Search experiments and list artifacts by the name that the pipelines use.

    MLflow's own /health answers even where every call is refused for its Host header.
    """
    where = f"http://{os.environ['MLFLOW_TRACKING_HOST']}:{os.environ['MLFLOW_TRACKING_PORT']}"
    experiments = "/api/2.0/mlflow/experiments/search"
    call(where + experiments, json.dumps({"max_results": 1}).encode())
    call(where + "/api/2.0/mlflow-artifacts/artifacts")


def call(address: str, body: bytes | None = None) -> None:
    """Make a request; raises OSError unless it is answered well."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, body, kind)  # noqa: S310 - it begins with http://
    opener.open(request, timeout=SECONDS).read()


if __name__ == "__main__":
    try:
        {"ftp": ftp, "mlflow": mlflow}[sys.argv[1]]()
    except (OSError, *ftplib.all_errors) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
