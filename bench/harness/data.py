"""Data sets as one file each, so that a measured process needs no database."""

import sys
from itertools import chain
from pathlib import Path

import numpy as np

from core.dataset import Dataset, IdMap, Interactions
from harness import services
from harness.measure import run
from harness.plan import BENCH, Plan, Shape

FACTORS = (64, 128)
COLUMNS = ("users", "items", "ratings", "timestamps")


def save(file: Path, dataset: Dataset) -> None:
    """Write a data set, and seeded factors of its users and items, as plain arrays."""
    arrays: dict[str, np.ndarray] = {
        "user_ids": dataset.user_ids.ids,
        "item_ids": dataset.item_ids.ids,
        "titles": np.array(dataset.titles),
        "words": np.array(list(chain.from_iterable(dataset.item_words)), dtype=np.str_),
        "n_words": np.array([len(words) for words in dataset.item_words]),
        "fingerprint": np.array(dataset.fingerprint),
    }
    for side in ("train", "test"):
        interactions = getattr(dataset, side)
        arrays |= {f"{side}_{name}": getattr(interactions, name) for name in COLUMNS}
    rng = np.random.default_rng(0)
    for factors in FACTORS:
        for side, ids in (("user", dataset.user_ids), ("item", dataset.item_ids)):
            values = rng.standard_normal((len(ids), factors), dtype=np.float32)
            arrays[f"{side}_factors_{factors}"] = values
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        np.savez(out, **arrays)
    part.replace(file)


def load(file: Path) -> Dataset:
    """The data set that `save` wrote."""
    with np.load(file) as arrays:
        users, items = IdMap(arrays["user_ids"]), IdMap(arrays["item_ids"])
        shape = (len(users), len(items))
        train, test = (
            Interactions(*(arrays[f"{side}_{name}"] for name in COLUMNS), *shape)
            for side in ("train", "test")
        )
        words, ends = arrays["words"].tolist(), np.cumsum(arrays["n_words"]).tolist()
        return Dataset(
            name="synthetic",
            train=train,
            test=test,
            user_ids=users,
            item_ids=items,
            item_words=[words[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)],
            titles=arrays["titles"].tolist(),
            fingerprint=str(arrays["fingerprint"]),
        )


def prepared(plan: Plan, *shapes: Shape) -> list[Path]:
    """Files of data sets of these sizes, split by the reader; made when they are not there."""
    wanted = {shape: plan.work / "data" / f"{shape.name}.npz" for shape in shapes}
    missing = {shape: file for shape, file in wanted.items() if not file.exists()}
    if missing:
        with services.services() as settings:
            for shape, file in missing.items():
                services.ensure_loaded(settings, plan, shape)
                run(
                    [sys.executable, BENCH / "prepare.py", file],
                    log=plan.work / "logs" / "prepare.log",
                    limit=plan.limit,
                    environment=services.environment(settings),
                )
    return list(wanted.values())
