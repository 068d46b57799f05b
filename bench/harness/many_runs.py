"""A real tracker with very many runs in it, made through MLflow's own interface."""

import io
import json
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from core.protocol import EvaluationProtocol
from core.settings import Settings
from utils.runner import pipeline_files

METRICS = "recall precision ndcg map mrr hit_rate".split()
COUNTS = {
    "n_users": 2000.0,
    "n_items": 1500.0,
    "n_train": 190_000.0,
    "n_test": 10_000.0,
    "n_users_evaluated": 2000.0,
    "n_users_no_relevant": 0.0,
    "n_users_short_list": 0.0,
    "share_test_items_unseen": 0.001,
    "share_test_users_unseen": 0.0,
    "share_train_after_median_test": 0.4,
}
USERS = 2000
MINUTE = 60_000  # ms
BEGIN = 1_760_000_000_000


def ndcg(rng: np.random.Generator, hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """NDCG at 10 of users with so many hits at random places; it has very many values."""
    discounts = 1 / np.log2(np.arange(2, 12))
    places = rng.random((len(hits), 10)).argsort(axis=1) < hits[:, None]
    return (places @ discounts) / np.cumsum(discounts)[relevant - 1]


class Maker:
    """Makes runs of made-up results in an experiment of its own."""

    def __init__(self, settings: Settings, users: int = USERS) -> None:
        self._users = users
        proxies = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(proxies)
        self._uri = settings.tracking_uri
        made = self._post("experiments/create", {"name": settings.experiment_name})
        self.experiment = str(made["experiment_id"])

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        return self._send("POST", f"/api/2.0/mlflow/{path}", json.dumps(body).encode())

    def _send(self, method: str, path: str, data: bytes) -> dict[str, Any]:
        kind = "application/json" if method == "POST" else "application/octet-stream"
        request = urllib.request.Request(
            self._uri + path, data, {"Content-Type": kind}, method=method
        )
        with self._opener.open(request, timeout=120) as answer:
            return dict(json.loads(answer.read() or b"{}"))

    def make_all(self, n: int) -> list[str]:
        """The ids of `n` runs, a minute apart: most comparable, others on other data or with
        another k; some failed, some hold others together.
        """
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(self.make, range(n)))

    def make(self, number: int) -> str:
        """The run of a number: recommender, parameters, quality and protocol all follow from it."""
        names = list(pipeline_files())
        pipeline = names[number % len(names)]
        kind = number // len(names) % 10
        dataset = "ml-1m" if kind == 8 else "ml-10m"
        protocol = EvaluationProtocol(dataset, k=20 if kind == 9 else 10)
        tags = {
            "pipeline": pipeline,
            "dataset": dataset,
            "dataset_schema": dataset.replace("-", "_"),
            "fingerprint": f"{190_000 + kind // 8 * kind}-10000-0123456789ab",
            "git_commit": "0" * 40,
            "model_sha256": "0" * 64,
            "mlflow.runName": pipeline,
            "mlflow.user": "bench",
        }
        if kind == 7:  # the one that `run all` would make above the others
            del tags["pipeline"]
        run = self._post(
            "runs/create",
            {
                "experiment_id": self.experiment,
                "start_time": BEGIN + number * MINUTE,
                "tags": [{"key": key, "value": value} for key, value in tags.items()],
            },
        )["run"]["info"]
        self._log(run["run_id"], number, names.index(pipeline), protocol)
        self._post(
            "runs/update",
            {
                "run_id": run["run_id"],
                "status": "FAILED" if kind == 6 else "FINISHED",
                "end_time": BEGIN + number * MINUTE + 30_000,
            },
        )
        return str(run["run_id"])

    def _log(self, run_id: str, number: int, quality: int, protocol: EvaluationProtocol) -> None:
        rng = np.random.default_rng(number)
        variant, seed = number // 110 % 3, number // 330
        relevant = rng.integers(1, 6, self._users)
        hits = rng.binomial(relevant, 0.05 + 0.01 * quality + 0.002 * variant)
        columns: dict[str, np.ndarray] = {"user_id": np.arange(self._users), "n_relevant": relevant}
        columns |= {f"{name}_at_k": hits / relevant for name in METRICS}
        columns["ndcg_at_k"] = ndcg(rng, hits, relevant)
        metrics = {name: float(values.mean()) for name, values in columns.items() if "_at_" in name}
        metrics |= COUNTS | {"coverage_at_k": 0.3, "novelty_at_k": 4.5, "peak_memory_mib": 512.0}
        metrics |= {f"{stage}_seconds": 1.5 for stage in ("read", "fit", "recommend", "evaluate")}
        if quality % 2:
            metrics["rmse"] = 0.9 + 0.01 * variant
        params = {"factors": 20 + variant, "n_epochs": 10, "regularization": 0.01, "seed": seed}
        params |= {f"parameter_{i}": i for i in range(6)} | protocol.params()
        self._post(
            "runs/log-batch",
            {
                "run_id": run_id,
                "metrics": [
                    {"key": key, "value": value, "timestamp": BEGIN, "step": 0}
                    for key, value in metrics.items()
                ],
                "params": [{"key": key, "value": str(value)} for key, value in params.items()],
            },
        )
        file = io.BytesIO()
        parquet.write_table(pa.table(columns), file, compression="zstd")
        where = f"{self.experiment}/{run_id}/artifacts/evaluation/per_user.parquet"
        self._send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{where}", file.getvalue())
