"""Every setting of the platform: addresses, accounts, and the evaluation protocol.

Strongest first: arguments, environment variables, `.recarena/services.json` (the ports that the
running local services really have), `.env` at the root, defaults. A secret may be in a
file instead, which `POSTGRES_PASSWORD_FILE` names.
"""

import difflib
import ipaddress
import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.errors import RecArenaError, printable
from core.paths import LOCAL, LOCAL_SETTINGS, OUTBOX, ROOT
from core.secret_files import SUFFIX, read_secret_files

DEFAULT_PASSWORD = "recarena"  # noqa: S105 - refused unless everything listens on loopback
SECRETS = (
    "postgres_password",
    "ftp_user_pass",
    "ftp_reader_pass",
    "backend_store_uri",
    "mlflow_admin_pass",
    "mlflow_tracking_password",
)
OPTIONAL_SECRETS = ("mlflow_tracking_password",)  # an empty file means that there is none
MLFLOW_PASSWORD_LENGTH = 12  # MLflow itself refuses shorter ones
Port = int
Split = Literal["last_n", "leave_one_out", "random", "global_time"]
SplitPart = Literal["test", "validation"]
MAX_K = 1000  # length of a recommended list
MAX_COUNT = 2**31 - 1  # of rows, as the database's own whole numbers


class Settings(BaseSettings):
    """All settings, read once at the edge by `Settings.load()`; immutable afterwards."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    bind_host: str = "127.0.0.1"
    """Address that the services listen on; anything but loopback needs passwords of your own."""
    published_host: str | None = None
    """Address of the host that a container's ports are published on; where it is given, it and not
    `bind_host`, which is the private network's, tells whether other machines can get in."""

    db_host: str = "127.0.0.1"
    """Host of PostgreSQL."""
    db_port: Port = Field(5432, ge=1, le=65535)
    """Port of PostgreSQL."""
    postgres_user: str = "recarena"
    """PostgreSQL user."""
    postgres_password: SecretStr = SecretStr(DEFAULT_PASSWORD)
    """Password of the PostgreSQL user."""
    postgres_db: str = "recarena"
    """PostgreSQL database; every data set is a schema in it."""

    ftp_host: str = "127.0.0.1"
    """Host of the FTP server that stores the artifacts."""
    ftp_port: Port = Field(21, ge=1, le=65535)
    """Port of the FTP server."""
    ftp_passive_ports: str = Field("30000-30009", pattern=r"^\d{1,5}-\d{1,5}$")
    """Ports for FTP data connections, first-last."""
    ftp_user_name: str = "recarena"
    """FTP user; only the MLflow server logs in."""
    ftp_user_pass: SecretStr = SecretStr(DEFAULT_PASSWORD)
    """Password of the FTP user."""
    ftp_reader_name: str | None = None
    """A second FTP user, who may list and read only; none unless given."""
    ftp_reader_pass: SecretStr | None = None
    """Password of the second FTP user."""
    ftp_connect_seconds: float = Field(10, gt=0, le=3600)
    """Seconds that the MLflow server waits for the FTP server's connection or answer."""
    ftp_transfer_seconds: float = Field(60, gt=0, le=3600)
    """Seconds that a transfer may stand still."""
    ftp_retries: int = Field(3, ge=0, le=20)
    """Further attempts after one that failed for a reason that may pass."""
    ftp_max_connections: int = Field(256, ge=2)
    """Sockets that the FTP server has open at once, those of transfers included."""
    ftp_max_connections_per_host: int = Field(64, ge=1)
    """Sessions that one address may have with it at once."""
    ftp_idle_seconds: int = Field(300, ge=1)
    """Seconds after which it ends a silent session, or a transfer that stands still."""
    ftp_keep_free_mib: int = Field(100, ge=0)
    """Space on the disk that uploads leave free; then they are refused."""
    ftp_tls: bool = False
    """Whether artifacts and their password travel encrypted between MLflow and the FTP server."""
    ftp_certificate: str | None = None
    """Certificate of the FTP server (PEM); one is made unless given."""
    ftp_key: str | None = None
    """Its private key (PEM)."""
    ftp_ca_file: str | None = None
    """Certificates that MLflow trusts the FTP server by; the one that was made unless given."""

    mlflow_tracking_host: str = "127.0.0.1"
    """Host of the MLflow server."""
    mlflow_tracking_port: Port = Field(5001, ge=1, le=65535)
    """Port of the MLflow server."""
    backend_store_uri: SecretStr | None = None
    """Where MLflow keeps its runs; an SQLite file of its own unless given."""
    mlflow_admin_user: str | None = Field(None, pattern=r"^[^:\s]+$")
    """Administrator of the MLflow server, which then asks everybody for a password; without one it
    asks nobody."""
    mlflow_admin_pass: SecretStr | None = Field(None, min_length=MLFLOW_PASSWORD_LENGTH)
    """The administrator's password, of 12 characters or more."""
    mlflow_tracking_username: str | None = Field(None, pattern=r"^[^:\s]+$")
    """Account that we use at an MLflow server that asks for one; the administrator unless given."""
    mlflow_tracking_password: SecretStr | None = None
    """Password of that account."""
    experiment_name: str = "RecArena"
    """MLflow experiment that the runs go to; made when it does not exist."""

    connect_timeout: float = Field(5, gt=0, le=600)
    """Seconds for a service to take a connection, or to answer a simple question."""
    silence_timeout: int = Field(60, ge=4, le=3600)
    """Seconds after which a database connection without a sign of life from its host is given
    up."""
    db_timeout: float = Field(900, gt=0, le=86_400)
    """Seconds that reading a data set may take; a server that hangs is given up then."""
    tracker_timeout: int = Field(60, ge=1, le=3600)
    """Seconds for MLflow to answer a request."""
    tracker_retries: int = Field(3, ge=0, le=10)
    """How often a request is repeated that MLflow did not answer; pauses grow: 2, 4, 8 s."""
    tracker_patience: float = Field(40, ge=0, le=86_400)
    """Seconds that a run waits at its end for a service that is away, before it is kept."""
    outbox: Path = LOCAL / OUTBOX
    """Folder that keeps runs that could not be delivered, until `recarena push`; a relative one
    is below the project's root."""

    dataset: str | None = None
    """Data set to run on; the one that is loaded unless given."""
    split: Split = "last_n"
    """How test ratings are chosen: last_n, the newest n_test of each user; leave_one_out, the
    newest of each user; random, a fold of all ratings; global_time, all after a moment."""
    split_part: SplitPart = "test"
    """What recommenders are judged by: test, or validation, which leaves the test ratings out and
    splits what was train once more in the same way, so that parameters can be chosen on it."""
    n_test: int = Field(5, ge=1, le=MAX_COUNT)
    """Newest ratings of each user that are the test set (last_n)."""
    n_held_back: int = Field(0, ge=0, le=MAX_COUNT)
    """Newest ratings of each user that are left out altogether, before the test set is taken
    (last_n): with 5, parameters can be chosen on the ratings before the test ones."""
    n_folds: int = Field(5, ge=2, le=1000)
    """Parts of equal size that all ratings are dealt out to (random)."""
    fold: int = Field(1, ge=1)
    """The part that is the test set, from 1 to n_folds (random)."""
    split_seed: int = 0
    """Seed of the parts (random)."""
    split_quantile: float = Field(0.9, gt=0, lt=1)
    """Share of the ratings, oldest first, that are train (global_time)."""
    split_date: date | None = None
    """Day from which, at 00:00 UTC, all ratings are test, e.g. 2008-01-01, instead of a quantile
    (global_time)."""
    top_k: int = Field(10, ge=1, le=MAX_K)
    """Length of the recommended lists."""
    relevance_threshold: float = 4.0
    """Stars from which a test rating counts as relevant."""
    user_num: int = Field(0, ge=0, le=MAX_COUNT)
    """Users in the sample; 0 takes all of them."""
    user_seed: int = 0
    """Seed of the user sample."""

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the settings of this machine.

        Raises RecArenaError naming the setting that is wrong; a value is never shown, for it may
        be a secret.
        """
        _check_names(ROOT / ".env", cls.model_fields)
        try:
            return cls(**given)
        except ValidationError as error:
            raise RecArenaError(describe(error)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        return (
            init_settings,
            env_settings,
            lambda: read_secret_files(os.environ, SECRETS, OPTIONAL_SECRETS),
            lambda: _local_settings(LOCAL_SETTINGS),
            lambda: _file_settings(ROOT / ".env", settings_cls.model_fields),
        )

    @field_validator("outbox")
    @classmethod
    def _below_the_root(cls, given: Path) -> Path:
        return ROOT / given

    @model_validator(mode="after")
    def _refuse_default_passwords(self) -> Self:
        name = "BIND_HOST" if self.published_host is None else "PUBLISHED_HOST"
        host = getattr(self, name.lower())
        if is_loopback(host):
            return self
        for secret in ("postgres_password", "ftp_user_pass", "ftp_reader_pass"):
            if getattr(self, secret) == SecretStr(DEFAULT_PASSWORD):
                raise ValueError(
                    f"{name}={host:.60} lets other machines in, but {secret.upper()} is "
                    f"still the default; set {secret.upper()} in .env or listen on 127.0.0.1"
                )
        return self

    @model_validator(mode="after")
    def _refuse_half_an_account(self) -> Self:
        for user, secret in (
            ("mlflow_admin_user", "mlflow_admin_pass"),
            ("mlflow_tracking_username", "mlflow_tracking_password"),
        ):
            if (getattr(self, user) is None) != (getattr(self, secret) is None):
                raise ValueError(f"{user.upper()} and {secret.upper()} need each other: set both")
        return self

    @property
    def mlflow_account(self) -> tuple[str, str] | None:
        """User and password for an MLflow server that asks for them."""
        for user, secret in (
            (self.mlflow_tracking_username, self.mlflow_tracking_password),
            (self.mlflow_admin_user, self.mlflow_admin_pass),
        ):
            if user and secret:
                return user, secret.get_secret_value()
        return None

    @model_validator(mode="after")
    def _refuse_a_fold_that_is_not_there(self) -> Self:
        if self.split == "random" and self.fold > self.n_folds:
            raise ValueError(f"FOLD={self.fold}: there are only N_FOLDS={self.n_folds} folds")
        return self

    @property
    def tracking_uri(self) -> str:
        """Address of the MLflow server, for clients and for browsers."""
        host = self.mlflow_tracking_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.mlflow_tracking_port}"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def describe(error: ValidationError) -> str:
    """What is wrong with the first wrong setting, in one line and without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = printable(first["msg"].removeprefix("Value error, "))
    return f"{where.upper()}: {message}" if where else message


def _local_settings(file: Path) -> dict[str, Any]:
    """Hosts and ports that the running local services have."""
    try:
        found = json.loads(file.read_text())
        return dict(found.get("settings", {}).items())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise RecArenaError(f"{file}: cannot be read ({error}); run `recarena up` again") from None


def _file_settings(file: Path, known: Iterable[str]) -> dict[str, Any]:
    """The settings that an .env file gives a value to, by field name."""
    given = read_env_file(file)
    values = {name.lower(): value for name, value in given.items() if value}
    plain = {name: values[name] for name in known if name in values}
    return plain | read_secret_files(given, SECRETS, OPTIONAL_SECRETS)


def read_env_file(file: Path) -> dict[str, str | None]:
    """What a file of NAME=VALUE lines gives. Raises RecArenaError if it is no text."""
    try:
        return dotenv_values(file)
    except UnicodeError:
        raise RecArenaError(f"{file} is not text in UTF-8; write it anew") from None


def _check_names(file: Path, known: Iterable[str]) -> None:
    """Refuse a misspelt setting; names that resemble none of ours belong to somebody else."""
    names = [*known, *(secret + SUFFIX for secret in SECRETS)]
    for given in read_env_file(file):
        if given.lower() in names:
            continue
        for meant in difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.85):
            raise RecArenaError(f"{file}: unknown setting {given}; did you mean {meant.upper()}?")
