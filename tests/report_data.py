"""Made-up runs for reports; every number follows from the seed."""

from dataclasses import replace
from typing import Any

import numpy as np

from utils.report.data import LeftOut, Report, ReportRun
from utils.report.groups import hit_shares

PROTOCOL = {
    "dataset": "ml-latest-small",
    "n_test": "5",
    "n_held_back": "0",
    "k": "10",
    "relevance_threshold": "4.0",
    "user_num": "0",
    "user_seed": "0",
    "split": "last_n",
}
N_ITEMS = 900
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg></style>",
    "$\\frac{1}{0}$ {{ 7 * 7 }} &amp; 'x'",
    "\x1b[31m\x00\u202eevil\u2066 100 % 電影",
    "long " + "x" * 300,
)


def make_run(label: str, strength: float, *, users: int = 300, seed: int = 0) -> ReportRun:
    """A run that finds about this share of the relevant items."""
    same, own = np.random.default_rng(99), np.random.default_rng(seed)
    n_relevant = same.integers(1, 6, users)
    n_train = 5 + np.exp(same.normal(4, 1, users)).astype(np.int64)
    item_train = np.sort(same.pareto(1, N_ITEMS) * 9).astype(np.int64)
    item_relevant = same.binomial(item_train.clip(0, 300), 0.05)
    recall = own.binomial(n_relevant, strength) / n_relevant
    metrics = {
        **dict.fromkeys(["precision_at_k", "map_at_k", "mrr_at_k", "hit_rate_at_k"], strength),
        "recall_at_k": float(recall.mean()),
        "ndcg_at_k": float(recall.mean()) * 0.7,
        "coverage_at_k": 0.01 + strength / 3,
        "novelty_at_k": 2 + own.random(),
        "peak_memory_mib": 300.0,
        "n_users_evaluated": users,
        "share_test_items_unseen": 0.0321,
    }
    return ReportRun(
        label=label,
        pipeline=label.split(maxsplit=1)[0],
        run_id=f"{seed:032x}",
        started=1_764_000_000_000 + seed,
        metrics=metrics | ({"rmse": 0.9 + seed / 100} if seed % 3 == 0 else {}),
        seconds={"fit": 0.1 + seed, "recommend": 0.2},
        params={"factors": "50", "seed": str(seed)},
        tags={"git_commit": "0123456789abcdef", "git_dirty": "false"},
        values=recall * 0.7,
        users={"recall_at_k": recall, "n_relevant": n_relevant, "n_train": n_train},
        hits=hit_shares(recall, n_relevant),
        items={
            "n_train": item_train,
            "n_relevant": item_relevant,
            "n_hits": own.binomial(item_relevant, strength),
        },
        curves={"loss": [(epoch, 1 / epoch) for epoch in range(1, 20)]} if seed % 2 else {},
        surroundings={"Python": "3.11.9", "processor": "a processor"},
        packages={"numpy": "2.3.1"},
        link=f"http://127.0.0.1:5001/#/experiments/1/runs/{seed:032x}",
    )


def make_report(
    labels: tuple[str, ...] = ("SVD", "BPR", "popularity", "MF", "random"),
    *,
    users: int = 300,
    **given: Any,
) -> Report:
    """A report of runs with these labels, the first about the best."""
    runs = [
        make_run(label, 0.35 / (1 + place), users=users, seed=place)
        for place, label in enumerate(labels)
    ]
    known: dict[str, Any] = {
        "dataset": "ml-latest-small",
        "fingerprint": "10+5-0123456789abcdef",
        "protocol": PROTOCOL,
        "experiment": "RecArena",
        "left_out": [LeftOut("SVD", "f" * 32, "k 5 instead of 10")],
    }
    return Report.of(runs, **(known | given))


def hostile_report() -> Report:
    """Every text that comes from data is an attack."""
    runs = [make_run(name, 0.3 / (1 + n), seed=n) for n, name in enumerate(HOSTILE)]
    nasty = {name: name for name in HOSTILE}
    runs = [
        replace(
            one,
            pipeline=one.label,
            params=nasty,
            tags={"git_commit": one.label, "git_dirty": "true"},
            surroundings=nasty,
            packages=nasty,
            curves={one.label: [(1, 1.0), (2, 0.5)]},
        )
        for one in runs
    ]
    return Report.of(
        runs,
        dataset=HOSTILE[0],
        fingerprint=HOSTILE[1],
        protocol=PROTOCOL | nasty,
        experiment=HOSTILE[2],
        left_out=[LeftOut(one, one, one) for one in HOSTILE],
    )
