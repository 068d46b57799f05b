"""Questions to the MLflow server without MLflow, whose import takes longer than an answer.

For reading, and for ending runs that cannot do so themselves: whatever else is written goes
through MLflow's own client (`utils.tracking`).
"""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from core.errors import RecArenaError
from core.settings import Settings, is_loopback

API = "/api/2.0/mlflow"


class NotFoundError(RecArenaError):
    """The server answers, and has no such thing."""


def ask(
    settings: Settings,
    path: str,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The JSON that the server answers to a GET, or to a POST if there is a `body`.

    `path` is below the API's, e.g. `runs/search`. Raises RecArenaError if the server does not
    answer or refuses, with its reason.
    """
    data = None if body is None else json.dumps(body).encode()
    url = f"{API}/{path}" + (f"?{urlencode(query)}" if query else "")
    with opened(settings, url, data) as answer, explained(settings):
        found: dict[str, Any] = json.loads(answer.read())
        return found


@contextmanager
def opened(
    settings: Settings, url: str, data: bytes | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The server's answer to a request, to be read. Raises RecArenaError as `ask` does."""
    request = urllib.request.Request(  # noqa: S310 - the address begins with http://
        settings.tracking_uri + url, data, _headers(settings, data)
    )
    # a proxy knows nothing of this machine's own servers
    own = is_loopback(settings.mlflow_tracking_host)
    proxies = urllib.request.ProxyHandler({} if own else None)
    with explained(settings):
        answer = urllib.request.build_opener(proxies).open(
            request, timeout=settings.tracker_timeout
        )
    with answer:
        yield answer


def _headers(settings: Settings, data: bytes | None) -> dict[str, str]:
    """What a request says of itself and of us."""
    headers = {} if data is None else {"Content-Type": "application/json"}
    if settings.mlflow_account:
        account = ":".join(settings.mlflow_account).encode()
        headers["Authorization"] = f"Basic {base64.b64encode(account).decode()}"
    return headers


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn what goes wrong between here and the server into a RecArenaError of one line."""
    where = f"MLflow at {settings.tracking_uri}"
    try:
        yield
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.UNAUTHORIZED:
            from utils.service_answers import refusal  # noqa: PLC0415 - opens databases too

            raise RecArenaError(refusal(settings)) from None
        missing = error.code == HTTPStatus.NOT_FOUND
        kind = NotFoundError if missing else RecArenaError
        raise kind(f"{where}: {_refusal(error)}") from None
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        why = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        raise RecArenaError(
            f"{where} does not answer ({why}); start it with `recarena up`, or see "
            "`recarena status`"
        ) from None
    except ValueError:
        raise RecArenaError(f"{where} answered with something else; is it MLflow?") from None


def _refusal(error: urllib.error.HTTPError) -> str:
    """Why the server refused, in its own words if it has any."""
    with error:
        try:
            said = str(json.loads(error.read()).get("message", ""))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            said = ""
    return said.splitlines()[0] if said else f"status {error.code} {error.reason}"
