"""What a user wants to see on the leaderboard, as the tracker is asked for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from core.errors import RecArenaError
from core.protocol import EvaluationProtocol
from core.settings import Settings
from utils.run_search import equals
from utils.run_statistics import OF_EACH_USER

OTHERS = ("coverage_at_k", "novelty_at_k", "rmse")
SHORT = {name.removesuffix("_at_k"): name for name in (*OF_EACH_USER, *OTHERS)} | {
    "hit": "hit_rate_at_k",
    "memory": "peak_memory_mib",
    "fit": "fit_seconds",
    "rank": "recommend_seconds",
    "evaluate": "evaluate_seconds",
    "read": "read_seconds",
}
RISING = re.compile(r"rmse|peak_memory_mib|share_.*|.*_seconds|n_users_short_list")
NAME = re.compile(r"[A-Za-z_][\w./ -]*")
CONDITION = re.compile(r"([^=!<>]+)(!=|>=|<=|=|>|<)(.*)", re.DOTALL)
TAGS = ("pipeline", "dataset", "fingerprint", "git_commit", "git_dirty")
PROTOCOL = tuple(one.name for one in fields(EvaluationProtocol) if one.name != "dataset")


@dataclass(frozen=True)
class Query:
    """Which runs, in the order of which metric, and how many rows; 0 means all."""

    metric: str = "ndcg_at_k"
    top: int = 25
    conditions: tuple[str, ...] = ()


def query(sort: str, top: int, schema: str | None, filters: Sequence[str]) -> Query:
    """What the command line asks for. Raises RecArenaError for what cannot be meant."""
    if top < 0:
        raise RecArenaError(f"--top {top}: it is a number of rows, or 0 for all of them")
    said = [f"tags.dataset_schema = '{schema}'"] if schema else []
    return Query(metric(sort), top, (*said, *(condition(one) for one in filters)))


def metric(name: str) -> str:
    """The logged name of a metric or of a stage's seconds: `recall` is `recall_at_k`.

    Raises RecArenaError for a name that is none that a run could have.
    """
    wanted = re.sub(r"@k?\d*$", "_at_k", name.strip().lower().replace("-", "_"))
    wanted = SHORT.get(wanted, wanted)
    logged = {*SHORT.values()}
    if wanted in logged or (wanted.startswith(("share_", "n_")) and NAME.fullmatch(wanted)):
        return wanted
    raise RecArenaError(f"no metric {name!r}: there are {', '.join(SHORT)}")


def lower_is_better(name: str) -> bool:
    """Whether the least is the best."""
    return RISING.fullmatch(name) is not None


def order_of(name: str) -> str:
    """The order of the best first, for the tracker; runs without the metric come last."""
    return f"metrics.`{name}` {'ASC' if lower_is_better(name) else 'DESC'}"


def condition(text: str) -> str:
    """A condition such as `recommender=SVD`, `factors=20`, `k!=10` or `fit<60`, for the tracker.

    Raises RecArenaError if it is none.
    """
    parts = CONDITION.fullmatch(text)
    if not parts or not NAME.fullmatch(parts[1].strip()):
        raise RecArenaError(
            f"--filter {text!r}: write it as recommender=SVD, factors=20, k=10 or fit<60"
        )
    name, operator, value = parts[1].strip(), parts[2], parts[3].strip()
    if operator not in ("=", "!=") or name.lower() in SHORT or name in SHORT.values():
        return _of_a_number(text, metric(name), operator, value)
    said = equals(_field(name), value)
    if said is None:
        raise RecArenaError(f"--filter {text!r}: MLflow cannot be asked for a value with ' or \\")
    return said.replace(" = ", f" {operator} ", 1)


def _of_a_number(text: str, name: str, operator: str, value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        raise RecArenaError(f"--filter {text!r}: {value!r} is no number") from None
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        raise RecArenaError(f"--filter {text!r}: {value!r} is no number to compare with")
    return f"metrics.`{name}` {operator} {number:.17g}"


def _field(name: str) -> str:
    """Where a run keeps what has this name."""
    lower = name.lower().replace("-", "_")
    if lower == "recommender":
        return "tags.pipeline"
    if lower in TAGS:
        return f"tags.{lower}"
    if lower in (*PROTOCOL, "top_k"):
        return f"params.`protocol.{'k' if lower == 'top_k' else lower}`"
    return f"params.`{lower}`"


def in_experiment(settings: Settings, name: str | None) -> Settings:
    """The settings with another experiment, if one is given."""
    return settings.model_copy(update={"experiment_name": name}) if name else settings
