"""The default parameters are those that were chosen, and documented so."""

import json
from pathlib import Path
from typing import Any

import pytest

from utils.runner import load_pipeline

ROOT = Path(__file__).resolve().parents[1]
RESULTS: dict[str, Any] = json.loads((ROOT / "bench/tuning/results.json").read_text())


@pytest.mark.parametrize("name", RESULTS)
def test_defaults_are_the_chosen_parameters(name: str) -> None:
    pipeline = load_pipeline(name)
    defaults = pipeline.params().model_dump()
    chosen = RESULTS[name]["chosen"]
    assert {key: defaults[key] for key in chosen} == chosen
    assert f"## {name}\n" in (ROOT / "docs/tuning.md").read_text()


@pytest.mark.parametrize("name", RESULTS)
def test_chosen_is_the_best_with_its_neighbors(name: str) -> None:
    found = RESULTS[name]
    best = min if found["objective"] == "rmse" else max
    chosen = best(found["candidates"], key=lambda one: one["smoothed"])
    assert chosen["params"] == found["chosen"]
