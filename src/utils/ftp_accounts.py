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
# 4 MiB and some 10 ms, during which nobody else is served: guesses must not stop the server
COST = {"n": 2**12, "r": 8, "p": 1}


class Accounts(DummyAuthorizer):  # type: ignore[misc] # the library has no types
    """The accounts, each of which sees one folder as `/`."""

    def __init__(self) -> None:
        super().__init__()
        self._hashes: dict[str, tuple[bytes, bytes]] = {}
        self._nobody = _salted(secrets.token_hex())
        # passwords that were right, by a key of this process: MLflow logs in for each artifact
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}

    def add(self, name: str, password: str, root: Path, permissions: str) -> None:
        """Add an account; the folder must exist, the name be new."""
        self.add_user(name, "", str(root), perm=permissions)
        self._hashes[name] = _salted(password)

    def validate_authentication(self, username: str, password: str, handler: object) -> None:
        """Raises AuthenticationFailed, after the same work for a name that does not exist."""
        quick = hmac.digest(self._key, _bytes(password), "sha256")
        if hmac.compare_digest(self._right.get(username, b""), quick):
            return
        salt, expected = self._hashes.get(username, self._nobody)
        same = hmac.compare_digest(_hash(password, salt), expected)
        if not same or username not in self._hashes:
            raise AuthenticationFailed("Authentication failed.")
        self._right[username] = quick


def _salted(password: str) -> tuple[bytes, bytes]:
    salt = secrets.token_bytes(16)
    return salt, _hash(password, salt)


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(_bytes(password), salt=salt, **COST)


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
