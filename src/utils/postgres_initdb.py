"""Making a PostgreSQL cluster, whole or not at all."""

import shutil
import tempfile
from pathlib import Path

from pydantic import SecretStr

from core.errors import RecArenaError
from utils.interrupts import Check
from utils.postgres_place import Place
from utils.postgres_process import run_program


def make_cluster(place: Place, check: Check, user: str, password: SecretStr) -> None:
    """Run `initdb`, unless done before; a half-made cluster never gets the final name.

    Raises RecArenaError with `initdb`'s own words.
    """
    if (place.data / "PG_VERSION").exists():
        return
    unfinished, secret = place.base / "data.new", place.base / "password"
    shutil.rmtree(unfinished, ignore_errors=True)
    secret.unlink(missing_ok=True)
    unfinished.mkdir(mode=0o700)
    secret.touch(mode=0o600)
    try:
        secret.write_text(password.get_secret_value() + "\n", encoding="utf-8")
        place.give(unfinished)
        place.give(secret)
        _initdb(place, check, user, unfinished, secret)
    finally:
        secret.unlink()
    unfinished.rename(place.data)


def _initdb(place: Place, check: Check, user: str, data: Path, secret: Path) -> None:
    options = [
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # order by code point, upper and lower case of all Unicode: the same on every system
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ]
    paths = ["-D", str(data), "-U", user, f"--pwfile={secret}"]
    with tempfile.TemporaryFile() as output:
        status = run_program(place, check, output, "initdb", *options, *paths)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if status:
        raise RecArenaError(f"{place.base}: initdb failed: {complaint(said)}")


def complaint(said: str) -> str:
    """The line of a program's output that tells best what went wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error:" in line]
    return (telling or lines or ["no message"])[-1]
