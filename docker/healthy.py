"""Ends with status 0 if the service in this container answers as its clients ask it.

    python healthy.py ftp | mlflow

Run every few seconds, so it imports next to nothing.
"""

import base64
import ftplib
import json
import os
import ssl
import sys
import urllib.request
from pathlib import Path

SECONDS = 4


def ftp() -> None:
    """Log in and list the root over a data connection."""
    password = secret("FTP_USER_PASS")
    with ftp_client() as server:
        server.connect("127.0.0.1", int(os.environ["FTP_PORT"]))
        server.login(os.environ["FTP_USER_NAME"], password)
        if isinstance(server, ftplib.FTP_TLS):
            server.prot_p()
        server.nlst()


def ftp_client() -> ftplib.FTP:
    """A client that speaks as the server wants it to."""
    if os.environ.get("FTP_TLS", "").lower() not in {"1", "true", "t", "yes", "y", "on"}:
        return ftplib.FTP(timeout=SECONDS)  # noqa: S321 - the artifacts' protocol
    context = ssl.create_default_context(cafile=os.environ["FTP_CERTIFICATE"])
    return ftplib.FTP_TLS(timeout=SECONDS, context=context)  # noqa: S321


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
    headers = {"Content-Type": "application/json"} | account()
    request = urllib.request.Request(address, body, headers)  # noqa: S310 - begins with http://
    opener.open(request, timeout=SECONDS).read()


def account() -> dict[str, str]:
    """The header that lets us in where MLflow asks for a password."""
    user, password = os.environ.get("MLFLOW_ADMIN_USER"), secret("MLFLOW_ADMIN_PASS")
    if not (user and password):
        return {}
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def secret(name: str) -> str:
    """A password, or the content of its file."""
    file = os.environ.get(f"{name}_FILE")
    return Path(file).read_text().rstrip("\r\n") if file else os.environ.get(name, "")


if __name__ == "__main__":
    try:
        {"ftp": ftp, "mlflow": mlflow}[sys.argv[1]]()
    except (OSError, *ftplib.all_errors) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
