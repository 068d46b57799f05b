"""The exceptions that stand for a user's mistake or a service that does not answer."""


class RecArenaError(Exception):
    """A problem that its message explains in one line: what is wrong, where, and what to do.

    Entry points print the message and exit with status 1; everything else is a bug and may
    show its traceback.
    """


class AccessRefusedError(RecArenaError):
    """A service answers, but not to us: to ask again without another account is of no use."""


class UndeliveredError(RecArenaError):
    """Something is kept in the outbox because a service is away; entry points exit with 75.

    That is EX_TEMPFAIL of `sysexits.h`: nothing is lost, and trying again later helps.
    """


UNDELIVERED = 75


def printable(text: object) -> str:
    """A value as text of one line; what a terminal would obey, not show, is written as escapes."""
    shown = str(text)
    return shown if shown.isprintable() else ascii(shown)[1:-1]


def first_line(error: BaseException) -> str:
    """The first non-empty line of an error's message, or its type's name if it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
