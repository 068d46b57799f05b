"""What a finished run left, read again: its parameters, metrics and lists, and its split."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pydantic import ValidationError

from core.dataset import Dataset
from core.errors import RecArenaError, first_line
from core.protocol import PREFIX, EvaluationProtocol
from core.recommender import NO_ITEM, Ranking
from core.settings import Settings
from datareader.reader import read_dataset
from table_models.database import LoadedDataSet
from utils.finished_runs import FinishedRun
from utils.run_files import download
from utils.tracking import explained, prepare_client

LISTS = "evaluation/recommendations.parquet"
COLUMNS = ("user_id", "rank", "movie_id", "score")


@dataclass(frozen=True)
class KeptRun:
    """What the tracker keeps of a run; `params` are those of the recommender alone."""

    run: FinishedRun
    params: dict[str, str]
    protocol: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """The split's, or nothing if the run is older than that."""
        return self.tags.get("fingerprint", "")

    def evaluation_protocol(self) -> EvaluationProtocol:
        """How the run was judged. Raises RecArenaError if it did not log that as we know it."""
        try:
            return EvaluationProtocol.of_run({PREFIX + n: v for n, v in self.protocol.items()})
        except ValueError as error:
            why = first_line(error)
            if isinstance(error, ValidationError):
                wrong = error.errors()[0]
                why = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
            raise RecArenaError(
                f"{self.run} was judged by a protocol that is not known here: {why}"
            ) from None


def kept(settings: Settings, run: FinishedRun) -> KeptRun:
    """A run's parameters, metrics and tags. Raises RecArenaError if MLflow does not answer."""
    prepare_client(settings)
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds

    with explained(settings.tracking_uri):
        data = MlflowClient(settings.tracking_uri).get_run(run.id).data
    ours = {n.removeprefix(PREFIX): v for n, v in data.params.items() if n.startswith(PREFIX)}
    params = {n: v for n, v in data.params.items() if not n.startswith(PREFIX)}
    return KeptRun(run, params, ours, dict(data.metrics), dict(data.tags))


def split_of(settings: Settings, one: KeptRun, source: LoadedDataSet) -> Dataset:
    """The data set as the run saw it.

    Raises RecArenaError if the database gives another split under the run's own protocol.
    """
    dataset = read_dataset(settings, source, one.evaluation_protocol())
    if dataset.fingerprint != one.fingerprint:
        raise RecArenaError(
            f"{one.run} was judged on the split {one.fingerprint or 'without a fingerprint'}, but "
            f"{source.shown_name} now gives {dataset.fingerprint}: its ratings are others"
        )
    return dataset


def lists_table(settings: Settings, one: KeptRun) -> pa.Table:
    """The lists of a run as rows of user_id, rank (1 to its k), movie_id and score.

    Raises RecArenaError if the run left none, or a file that is none.
    """
    file = download(settings, one.run.id, LISTS)
    try:
        table = parquet.read_table(file, columns=list(COLUMNS))
        absent = [name for name in COLUMNS if table[name].null_count]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise _unreadable(one, first_line(error)) from None
    if absent:
        raise _unreadable(one, f"{absent[0]} is not always there")
    k = one.evaluation_protocol().k
    ranks = table["rank"].to_numpy()
    if len(ranks) and (ranks.min() < 1 or ranks.max() > k):
        raise _unreadable(one, f"places are not in 1..{k}")
    return table


def ranking_of(settings: Settings, one: KeptRun, dataset: Dataset) -> Ranking:
    """The run's lists, a row for each user index of the data set and k places."""
    table = lists_table(settings, one)
    shape = (len(dataset.user_ids), one.evaluation_protocol().k)
    try:
        users = dataset.user_ids.index(table["user_id"].to_numpy())
        found = dataset.item_ids.index(table["movie_id"].to_numpy())
    except KeyError as error:
        raise _unreadable(one, f"id {error} is not in {dataset.name}") from None
    ranking = Ranking(np.full(shape, NO_ITEM, np.int32), np.full(shape, np.nan, np.float32))
    places = table["rank"].to_numpy() - 1
    ranking.items[users, places] = found
    ranking.scores[users, places] = table["score"].to_numpy()
    return ranking


def _unreadable(one: KeptRun, why: str) -> RecArenaError:
    return RecArenaError(f"the lists of {one.run} cannot be read: {why}")
