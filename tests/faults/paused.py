"""A run of `random` that stops at its stages until it is told to go on.

    python -m faults.paused FOLDER STAGES MEGABYTES [options of the pipeline]

STAGES are `reading`, `fitting`, `ranking`, `delivering`, with commas. At each it makes
FOLDER/at-STAGE and waits for FOLDER/go-STAGE. Its model is larger by MEGABYTES of noise, so that
it takes time to be uploaded. All else is the program's own.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.random.model import Random
from pipelines.random.pipeline_random import pipeline
from utils import runner

STAGES = ("reading", "fitting", "ranking", "delivering")


def stopping(folder: Path, stage: str, then: Callable[..., Any]) -> Callable[..., Any]:
    """The function, after its stage was announced and the way is free."""

    def stopped(*args: Any, **given: Any) -> Any:
        (folder / f"at-{stage}").touch()
        while not (folder / f"go-{stage}").exists():
            time.sleep(0.02)
        return then(*args, **given)

    return stopped


def main(folder: Path, stages: list[str], megabytes: int, args: list[str]) -> None:
    """Run."""
    fit = Random.fit

    def heavy(self: Random, dataset: Any) -> Random:
        self.noise_ = np.random.default_rng(0).bytes(megabytes << 20)  # type: ignore[attr-defined]
        return fit(self, dataset)

    Random.fit = heavy  # type: ignore[method-assign]
    for stage in stages:
        match stage:
            case "reading":
                runner.read_dataset = stopping(folder, stage, runner.read_dataset)
            case "fitting":
                Random.fit = stopping(folder, stage, heavy)  # type: ignore[method-assign]
            case "ranking":
                runner.evaluate = stopping(folder, stage, runner.evaluate)
            case "delivering":
                runner.deliver = stopping(folder, stage, runner.deliver)
    pipeline.main(args)


if __name__ == "__main__":
    chosen = [one for one in sys.argv[2].split(",") if one]
    assert set(chosen) <= set(STAGES), chosen
    main(Path(sys.argv[1]), chosen, int(sys.argv[3]), sys.argv[4:])
