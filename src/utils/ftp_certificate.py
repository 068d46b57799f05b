"""A certificate for the FTP server, made on its first start: its own authority, for one machine."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.errors import RecArenaError

DAYS = 3650
RENEW_DAYS = 30  # before its end


def ensure_certificate(certificate: Path, key: Path, hosts: list[str]) -> None:
    """Make the two files, unless they are there and fit.

    `hosts` are the names and addresses that clients call the server by; without any, the files are
    the user's and left alone. Raises RecArenaError if one of them is missing then.
    """
    there = [file.exists() for file in (certificate, key)]
    if not hosts:
        if not all(there):
            name, file = ("FTP_KEY", key) if there[0] else ("FTP_CERTIFICATE", certificate)
            raise RecArenaError(f"{name}={file}: there is no such file")
        return
    if all(there) and _fits(certificate.read_bytes(), hosts):
        return
    secret = ec.generate_private_key(ec.SECP256R1())
    for file in (certificate, key):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    encoding = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    _write(key, secret.private_bytes(encoding, *plain), 0o600)
    _write(certificate, _certificate(secret, hosts).public_bytes(encoding), 0o644)


def _certificate(secret: ec.EllipticCurvePrivateKey, hosts: list[str]) -> x509.Certificate:
    """A certificate that signs itself, so that clients trust it and nothing else."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RecArena artifact store")])
    now = datetime.datetime.now(datetime.UTC)
    public = secret.public_key()
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
                **usage,
            ),
            True,
        ),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([_general(host) for host in hosts]), False),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=DAYS))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(secret, hashes.SHA256())


def _fits(pem: bytes, hosts: list[str]) -> bool:
    """Whether it holds for these hosts and for some time to come."""
    try:
        found = x509.load_pem_x509_certificate(pem)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    end = found.not_valid_after_utc - datetime.timedelta(days=RENEW_DAYS)
    return end > datetime.datetime.now(datetime.UTC) and {*map(_general, hosts)} <= set(names)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(file: Path, content: bytes, mode: int) -> None:
    """Write it so that a reader sees the old content or the new, and others not the key."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_bytes(content)
    new.replace(file)
