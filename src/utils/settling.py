"""Making things in MLflow that another run may be making at the same moment."""

import re
import time
from collections.abc import Callable
from typing import TypeVar

PAUSES = (0.1, 0.3, 0.9)  # seconds, between tries of what another run may have done just now

T = TypeVar("T")


def settled(call: Callable[[], T]) -> T:
    """What a call returns that makes a thing in MLflow unless it is there.

    The server looks and then makes it: of runs that begin at once one can come too late, and
    finds it when it asks again.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    for pause in PAUSES:
        try:
            return call()
        except MlflowException as error:
            if not re.search("unique constraint|already exists", str(error), flags=re.IGNORECASE):
                raise
            time.sleep(pause)
    return call()
