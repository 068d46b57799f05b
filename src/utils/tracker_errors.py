"""What MLflow's exceptions mean: in one line, and whether they may pass."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import RecArenaError, first_line

FILES_AWAY = (
    "cannot store or reach its files, the FTP server may be down or its disk full; "
    "see `recarena status`"
)
TOO_MANY, BROKEN = 429, 500  # HTTP's codes: ask later; the server's fault


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn the exceptions of MLflow at `uri` into one line."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds
    from requests import RequestException  # noqa: PLC0415

    try:
        yield
    except (MlflowException, RequestException) as error:
        raise RecArenaError(f"MLflow at {uri}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """The line that says what happened, without MLflow's history of tries."""
    if "failed with error code 401" in str(error):
        return (
            "asks for a password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or correct them"
        )
    said, _, tries = first_line(error).partition(" failed with exception")
    if "/mlflow-artifacts/" in said:
        if tries or passing(error):
            return FILES_AWAY
        return f"does not take the run's files: {_message(error) or said}"
    return "has stopped to answer; see `recarena status`" if tries else said


def _message(error: BaseException) -> str:
    """What the server gave as its reason, if it did."""
    answer = getattr(error, "response", None)
    try:
        said = str(answer.json()["message"]) if answer is not None else ""
    except (ValueError, KeyError, TypeError):
        return ""
    return " ".join(said.split()).rstrip(".")


def passing(error: BaseException) -> bool:
    """Whether an error may pass by itself: a service that is away, or full, not a refusal."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    answer = getattr(error, "response", None)
    code = getattr(answer, "status_code", None)
    if code is None and isinstance(error, MlflowException):
        code = error.get_http_status_code()  # type: ignore[no-untyped-call]
    if code is None:
        return isinstance(error, OSError)
    return code == TOO_MANY or code >= BROKEN
