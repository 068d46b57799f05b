"""Our recommenders under the protocol of published results, each beside its number."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import fmean, pstdev

from core.errors import RecArenaError
from core.settings import Settings
from datareader.reader import choose_dataset
from table_models.database import LoadedDataSet, loaded
from utils.published import RATINGS, Rung, rungs
from utils.runner import load_pipeline
from utils.termination import termination


@dataclass(frozen=True)
class Step:
    """A published result and ours: the RMSE on each fold that was run, from the first on."""

    rung: Rung
    rmses: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Our RMSE, as published ones: the mean over folds."""
        return fmean(self.rmses)

    @property
    def spread(self) -> float:
        """Standard deviation of our RMSE over folds."""
        return pstdev(self.rmses)

    @property
    def gap(self) -> float:
        """How much ours is above the published RMSE; below zero, it is better."""
        return self.mean - self.rung.rmse


def data_sets(settings: Settings, dataset: str | None) -> list[LoadedDataSet]:
    """The loaded data set of this name, or all that are loaded.

    Raises RecArenaError if it is not loaded, or none is.
    """
    if dataset or not loaded(settings):
        return [choose_dataset(settings.model_copy(update={"dataset": dataset}))]
    return loaded(settings)


def notes(found: Sequence[LoadedDataSet]) -> list[str]:
    """A line for each data set that has no published result, or is not what was published."""
    said = []
    for one in found:
        if not rungs(one.shown_name):
            said.append(f"{one.shown_name}: no published result is known for it here")
        elif one.ratings != RATINGS[one.shown_name]:
            said.append(
                f"{one.shown_name}: holds {one.ratings:,} ratings, the published data set "
                f"{RATINGS[one.shown_name]:,}: the gap says nothing"
            )
    return said


def climb_all(
    settings: Settings,
    found: Sequence[LoadedDataSet],
    folds: int | None,
    report: Callable[[str], None],
) -> list[Step]:
    """The steps of `climb` on each data set."""
    return [step for one in found for step in climb(settings, one, folds, report)]


def climb(
    settings: Settings,
    found: LoadedDataSet,
    folds: int | None,
    report: Callable[[str], None],
) -> list[Step]:
    """Every recommender of ours that has a published result on the data set, fold by fold.

    `folds` is how many of the published number of folds are run; all unless given. Each run is
    a process of its own, and tracked in an experiment beside the settings' one: single folds are
    not what somebody wants to see first on a leaderboard. Raises RecArenaError if one fails.
    """
    steps = []
    settings = settings.model_copy(update=PROTOCOL | {"experiment_name": experiment(settings)})
    for rung in rungs(found.shown_name):
        n_folds = rung.publication.n_folds
        if folds is not None and not 1 <= folds <= n_folds:
            raise RecArenaError(f"--folds {folds}: {rung.dataset} has from 1 to {n_folds}")
        rmses = []
        for fold in range(1, (folds or n_folds) + 1):
            report(f"{rung.dataset}: {rung.pipeline} as {rung.method}, fold {fold} of {n_folds}")
            wanted = {"dataset": found.name, "n_folds": n_folds, "fold": fold}
            rmses.append(_apart(rung, settings.model_copy(update=wanted)))
        steps.append(Step(rung, tuple(rmses)))
    return steps


PROTOCOL = {"split": "random", "split_part": "test", "split_seed": 0, "user_num": 0}


def experiment(settings: Settings) -> str:
    """The name of the MLflow experiment that the ladder's runs go to."""
    return f"{settings.experiment_name} ladder"


def _apart(rung: Rung, settings: Settings) -> float:
    """The RMSE of one run, made in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_run, rung, settings).result()
        except BrokenProcessPool:
            raise RecArenaError(
                f"the run of {rung.pipeline} on {rung.dataset} was killed, perhaps for want of "
                "memory"
            ) from None


def _run(rung: Rung, settings: Settings) -> float:
    termination.install()
    pipeline = load_pipeline(rung.pipeline)
    fields = pipeline.params.model_fields
    defaults = {name: field.default for name, field in fields.items()}
    params = pipeline.params(**defaults | dict(rung.params))  # neither environment nor files
    with redirect_stdout(sys.stderr):
        return pipeline.start(params, settings)["rmse"]
