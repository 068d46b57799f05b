"""TLS between MLflow and the local FTP server: whose certificate, and where it is."""

import socket
from pathlib import Path

from core.errors import RecArenaError
from core.settings import Settings
from utils.ports import reachable

OWN = "tls"  # the folder of the certificate that the FTP server makes, beside the services


def with_tls(settings: Settings, folder: Path) -> Settings:
    """The settings with the files that FTP_TLS needs; those that are not given lie in the folder.

    Raises RecArenaError for a certificate without its key, or the other way round.
    """
    if not settings.ftp_tls:
        return settings
    if (settings.ftp_certificate is None) != (settings.ftp_key is None):
        raise RecArenaError("FTP_CERTIFICATE and FTP_KEY: give both or none")
    own = (folder / OWN).absolute()
    certificate = Path(settings.ftp_certificate or own / "ftp.crt").absolute()
    files = {
        "ftp_certificate": str(certificate),
        "ftp_key": str(Path(settings.ftp_key or own / "ftp.key").absolute()),
        "ftp_ca_file": str(Path(settings.ftp_ca_file or certificate).absolute()),
    }
    return settings.model_copy(update=files)


def tls_environment(settings: Settings, folder: Path) -> dict[str, str]:
    """What `utils.ftp_server` reads; it makes a certificate only where ours is to be."""
    if not (settings.ftp_tls and settings.ftp_certificate and settings.ftp_key):
        return {"FTP_TLS": "false"}
    ours = Path(settings.ftp_certificate).parent == (folder / OWN).absolute()
    names = [reachable(settings.bind_host), "localhost", "127.0.0.1", socket.gethostname()]
    return {
        "FTP_TLS": "true",
        "FTP_CERTIFICATE": settings.ftp_certificate,
        "FTP_KEY": settings.ftp_key,
        "FTP_CERTIFICATE_HOSTS": ",".join(dict.fromkeys(names)) if ours else "",
    }
