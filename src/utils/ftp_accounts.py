"""Who may log in to the FTP server: named accounts, whose passwords it keeps as salted hashes."""

import hashlib
import hmac
import secrets
from pathlib import Path

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.exceptions import AuthenticationFailed

# enter, list, read, delete, rename, make folders, write; neither append nor change modes or times
STORE = "elrdfmw"
READ = "elr"
# 4 MiB and about 10 ms a login, during which nobody else is served
COST = {"n": 2**12, "r": 8, "p": 1}


class Accounts(DummyAuthorizer):  # type: ignore[misc] # the library has no types
    """The accounts, each of which sees one folder as `/`."""

    def __init__(self) -> None:
        super().__init__()
        self._hashes: dict[str, tuple[bytes, bytes]] = {}
        self._nobody = _salted(secrets.token_hex())

    def add(self, name: str, password: str, root: Path, permissions: str) -> None:
        """Add an account; the folder must exist, the name be new."""
        self.add_user(name, "", str(root), perm=permissions)
        self._hashes[name] = _salted(password)

    def validate_authentication(self, username: str, password: str, handler: object) -> None:
        """Raises AuthenticationFailed, after the same work for a name that does not exist."""
        salt, expected = self._hashes.get(username, self._nobody)
        same = hmac.compare_digest(_hash(password, salt), expected)
        if not same or username not in self._hashes:
            raise AuthenticationFailed("Authentication failed.")


def _salted(password: str) -> tuple[bytes, bytes]:
    salt = secrets.token_bytes(16)
    return salt, _hash(password, salt)


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(errors="surrogatepass"), salt=salt, **COST)
