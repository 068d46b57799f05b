"""A run in words, for people who look at it in MLflow: its name and its description."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any

from core.dataset import Dataset
from core.params import PipelineParams
from core.protocol import EvaluationProtocol

NOTE = "mlflow.note.content"  # the tag that MLflow shows as a description
PART_LENGTH = 80  # characters of the parameters, or of the protocol, in a name
COLOR = "mlflow.runColor"  # the tag that MLflow draws a run by
COLORS = (  # most people tell them apart: Tol, Colour schemes (2021), bright, vibrant and muted
    "#4477AA",
    "#EE6677",
    "#228833",
    "#CCBB44",
    "#66CCEE",
    "#AA3377",
    "#EE7733",
    "#009988",
    "#332288",
    "#999933",
    "#882255",
    "#777777",
)
SHOWN = {
    "ndcg_at_k": "NDCG@{k}",
    "recall_at_k": "recall@{k}",
    "precision_at_k": "precision@{k}",
    "coverage_at_k": "coverage@{k}",
    "rmse": "RMSE",
    "fit_seconds": "fit, seconds",
}


def run_name(pipeline: str, params: PipelineParams, protocol: EvaluationProtocol) -> str:
    """E.g. `SVD · factors=100 · ml-latest-small`: with whatever is not the default.

    Parameters come before the data set and its protocol, because tables and legends show the
    beginning of a name.
    """
    learned = _others(params.model_dump(), type(params).model_fields)
    judged = _others(asdict(protocol), {one.name: one for one in fields(protocol)})
    place = ", ".join([protocol.dataset, *judged])
    return " · ".join(filter(None, [pipeline, _short(", ".join(learned)), _short(place)]))


def _others(values: Mapping[str, Any], declared: Mapping[str, Any]) -> list[str]:
    """What has another value than its default; what has no default is left out."""
    return [
        f"{name}={values[name]}"
        for name, one in declared.items()
        if one.default is not MISSING and values[name] != one.default
    ]


def _short(words: str) -> str:
    return words if len(words) <= PART_LENGTH else f"{words[: PART_LENGTH - 1]}…"


def color(pipeline: str, known: Sequence[str]) -> str:
    """A recommender's colour in charts: the same in all its runs, another one for each of twelve.

    `known` are all recommenders.
    """
    place = known.index(pipeline) if pipeline in known else len(known)
    return COLORS[place % len(COLORS)]


def comparable(protocol: EvaluationProtocol, dataset: Dataset) -> str:
    """What two runs have in common if and only if they may be ranked together."""
    text = json.dumps([dataset.fingerprint, protocol.params()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def describe_run(
    pipeline: str,
    recommender: Callable[..., Any],
    params: PipelineParams,
    judged: str,
    k: int,
    results: Mapping[str, float] | None = None,
) -> str:
    """What a run is, in Markdown; with the results once there are any.

    `judged` is the protocol in words.
    """
    module = sys.modules[recommender.__module__]
    what = " ".join((module.__doc__ or "").split())
    parts = [f"**{pipeline}**: {what}", f"**Judged**: {judged}", f"**Learned with**: {_in(params)}"]
    if results:
        parts.insert(1, results_table(results, k))
    return "\n\n".join(parts) + "\n"


def results_table(results: Mapping[str, float], k: int) -> str:
    """The chief metrics as a table of one row; those that the run has."""
    there = [name for name in SHOWN if name in results]
    head = " | ".join(SHOWN[name].format(k=k) for name in there)
    row = " | ".join(shown(results[name]) for name in there)
    return f"| {head} |\n|{'---|' * len(there)}\n| {row} |"


def shown(value: float | None) -> str:
    """A metric to four places; a dash where it has no meaning."""
    return "–" if value is None else f"{value:.4f}"


def _in(params: PipelineParams) -> str:
    """The parameters; bold where they are not the default."""
    values = params.model_dump()
    told = []
    for name, one in type(params).model_fields.items():
        text = f"`{name}={values[name]}`"
        told.append(text if values[name] == one.default else f"**{text}**")
    return ", ".join(told)
