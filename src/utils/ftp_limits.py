"""How long the artifact store's client waits, and how often it tries; from the environment."""

from typing import Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import RecArenaError
from core.settings import describe

FIRST_PAUSE = 0.5  # seconds before the second attempt; each further pause is twice as long
LONGEST_PAUSE = 10.0


class Limits(BaseSettings):
    """The settings of the same names (`core.settings`), which the MLflow server is handed."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="FTP_", env_ignore_empty=True)

    connect: float = Field(10, gt=0, le=3600, validation_alias="FTP_CONNECT_SECONDS")
    """Seconds for a connection, and for the answer to a command."""
    transfer: float = Field(60, gt=0, le=3600, validation_alias="FTP_TRANSFER_SECONDS")
    """Seconds that a transfer may stand still."""
    retries: int = Field(3, ge=0, le=20, validation_alias="FTP_RETRIES")
    """Further attempts after one that failed for a reason that may pass."""
    ca_file: str | None = Field(None, validation_alias="FTP_CA_FILE")
    """Certificates that `ftps` trusts; those of the system unless given."""

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises RecArenaError naming what is wrong."""
        try:
            return cls()
        except ValidationError as error:
            raise RecArenaError(describe(error)) from None

    def pause(self, failed: int) -> float:
        """Seconds to wait after that many failed attempts."""
        return min(FIRST_PAUSE * 2 ** (failed - 1), LONGEST_PAUSE)
