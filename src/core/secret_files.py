"""Passwords in files: `NAME_FILE` names the file that holds the secret setting `NAME`."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from core.errors import RecArenaError

SUFFIX = "_file"


def read_secret_files(
    given: Mapping[str, str | None], names: Iterable[str], optional: Collection[str] = ()
) -> dict[str, str]:
    """The content, without its last line break, of the file that is given for a secret's name.

    `given` maps setting names, in whatever case, to values. An empty file of an `optional` secret
    means that there is none. Raises RecArenaError if a secret is given both ways, or its file
    cannot be read.
    """
    values = {name.lower(): value for name, value in given.items() if value}
    found = {}
    for name in names:
        file = values.get(name + SUFFIX)
        if file is None:
            continue
        setting = (name + SUFFIX).upper()
        if name in values:
            raise RecArenaError(f"{name.upper()} and {setting} are both set; remove one of them")
        try:
            found[name] = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise RecArenaError(f"{setting}={file}: {reason}") from None
        if found[name]:
            continue
        del found[name]
        if name not in optional:
            raise RecArenaError(f"{setting}={file}: the file is empty")
    return found
