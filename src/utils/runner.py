"""One experiment from its command line to its tracked results, the same for every recommender."""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.dataset import Dataset
from core.errors import UNDELIVERED, RecArenaError, UndeliveredError
from core.learning import listening
from core.params import PipelineParams, parse
from core.protocol import EvaluationProtocol, describe, unused
from core.recommender import Recommender
from core.settings import Settings
from datareader.reader import choose_dataset, read_dataset
from utils import before_training, leakage, run_words, surroundings
from utils.artifacts import write_evaluation, write_tables
from utils.evaluation import Evaluation, evaluate
from utils.model_files import model_file, write_ids, write_model, write_seen
from utils.model_package import write_package
from utils.model_registry import version_tags
from utils.termination import termination
from utils.tracking import MlflowTracker, Run, Tracker

P = TypeVar("P", bound=PipelineParams)
PROTOCOL_OPTIONS = (
    "dataset",
    "split",
    "split_part",
    "n_test",
    "n_held_back",
    "n_folds",
    "fold",
    "split_seed",
    "split_quantile",
    "split_date",
    "top_k",
    "relevance_threshold",
    "user_num",
    "user_seed",
    "experiment_name",
)


@dataclass(frozen=True)
class Source:
    """How to get the data set of an experiment, and how that place is called."""

    description: str
    schema: str
    read: Callable[[], Dataset]


@dataclass(frozen=True)
class Pipeline(Generic[P]):
    """One experiment: a recommender, its parameters, and the folder that configures it."""

    name: str
    recommender: Callable[[P], Recommender]
    params: type[P]
    folder: Path

    def run(
        self, params: P, source: Source, protocol: EvaluationProtocol, tracker: Tracker
    ) -> dict[str, float]:
        """Read, fit, evaluate and track; return the metrics.

        Params and protocol are logged first, metrics and the model last, so that a run that
        failed shows what was tried and never a model without metrics.
        """
        tags = {
            "pipeline": self.name,
            "dataset": protocol.dataset,
            "dataset_schema": source.schema,
            run_words.COLOR: run_words.color(self.name, list(pipeline_files())),
        }
        tags |= surroundings.tags(self.name) | surroundings.lineage()
        name = run_words.run_name(self.name, params, protocol)
        with tracker.run(name, tags, self._words(params, protocol, describe(protocol))) as run:
            run.log_params(params.model_dump() | protocol.params())
            start = time.perf_counter()
            dataset = source.read()
            read = time.perf_counter()
            sign = run_words.comparable(protocol, dataset)
            run.set_tags({"fingerprint": dataset.fingerprint, "comparable": sign})
            run.log_dataset(dataset, source.description)
            begin = time.perf_counter()
            with listening(run.log_epoch):
                model = self.recommender(params).fit(dataset)
            seconds = {"read_seconds": read - start, "fit_seconds": time.perf_counter() - begin}
            evaluation = evaluate(model, dataset, protocol)
            known = identity(params, protocol, dataset)
            deliver(run, self.name, model, dataset, evaluation, known)
            leaked = leakage.in_words(protocol, evaluation.metrics)
            run.set_tags({"leakage": leaked})
            metrics = evaluation.metrics | seconds | evaluation.seconds
            metrics["peak_memory_mib"] = peak_memory_mib()
            run.log_metrics(metrics)
            run.log_model(self.name)
            offer(run, self.name, dataset, version_tags(dataset.name, sign, metrics))
            judged = f"{describe(protocol)} {leaked}"
            run.describe(self._words(params, protocol, judged, metrics))
            print(f"{self.name}: run {run.id} on {dataset.name}, {_summary(metrics)}", flush=True)
        return metrics

    def _words(
        self,
        params: P,
        protocol: EvaluationProtocol,
        judged: str,
        metrics: Mapping[str, float] | None = None,
    ) -> str:
        """What the run is, in Markdown."""
        return run_words.describe_run(
            self.name, self.recommender, params, judged, protocol.k, metrics
        )

    def main(self, args: Sequence[str] | None = None) -> None:
        """Run from a command line; settings, database and MLflow are opened here and only here.

        Exits with status 1 and one line for a user's mistake, 75 when the run is kept in the
        outbox, 130 after Ctrl-C.
        """
        termination.install()
        try:
            program = f"pipeline_{self.name.lower()}"
            wanted = [(self.params, self.params.model_fields), (Settings, PROTOCOL_OPTIONS)]
            given, chosen = parse(sys.argv[1:] if args is None else args, program, wanted)
            params = self.params.load(self.folder, given)
            settings = Settings.load(**chosen)
            self.start(params, settings)
        except UndeliveredError as error:
            print(f"error: {self.name}: {error}", file=sys.stderr)
            sys.exit(UNDELIVERED)
        except RecArenaError as error:
            sys.exit(f"error: {self.name}: {error}")
        except KeyboardInterrupt:
            sys.exit(130)

    def start(self, params: P, settings: Settings) -> dict[str, float]:
        """Run on the database and the tracker that the settings name, if all is as it has to be."""
        found = choose_dataset(settings)
        protocol = EvaluationProtocol.of(settings, found.shown_name)
        for note in unused(settings):
            print(f"{self.name}: {note}", file=sys.stderr, flush=True)
        source = Source(
            f"{found.description}",
            found.schema,
            lambda: read_dataset(settings, found, protocol),
        )
        tracker = MlflowTracker(settings)
        before_training.check(settings, found, protocol)
        return self.run(params, source, protocol, tracker)


def deliver(
    run: Run,
    name: str,
    model: Recommender,
    dataset: Dataset,
    evaluation: Evaluation,
    known: Mapping[str, object],
) -> None:
    """Upload the model with its ids, its tables, the lists, per-user metrics and surroundings.

    `known` is what makes the run the one that it is, for the surroundings.
    """
    with tempfile.TemporaryDirectory(prefix="recarena-") as temporary:
        folder = Path(temporary)
        write_evaluation(folder, dataset, evaluation)
        write_tables(folder, model.tables(dataset))
        surroundings.write_surroundings(folder, name, known)
        write_ids(folder, dataset)
        write_seen(folder, dataset)
        sha256 = write_model(folder, name, model)
        run.log_folder(folder)
        run.set_tags({"model_file": model_file(name), "model_sha256": sha256})


def offer(run: Run, name: str, dataset: Dataset, tags: Mapping[str, str]) -> None:
    """Log the model that MLflow can serve, which stands for the files that were delivered."""
    with tempfile.TemporaryDirectory(prefix="recarena-") as temporary:
        package = Path(temporary)
        write_package(package, name, dataset.user_ids.ids[:3].tolist())
        run.log_package(package, name, tags)


def identity(
    params: PipelineParams, protocol: EvaluationProtocol, dataset: Dataset
) -> dict[str, object]:
    """What a run that is made again must have in common with the first one."""
    return {
        "params": params.model_dump(),
        "seed": getattr(params, "seed", None),
        "protocol": protocol.params(),
        "fingerprint": dataset.fingerprint,
    }


def peak_memory_mib() -> float:
    """The most memory that this process has had resident, in MiB.

    Where the system tells it of this program alone (Linux); getrusage also counts what the
    process that started it held at that moment.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / (1 << 10)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _summary(metrics: Mapping[str, float]) -> str:
    shown = ("recall_at_k", "precision_at_k", "ndcg_at_k", "rmse")
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in shown if name in metrics)


def pipeline_files() -> dict[str, Path]:
    """Every recommender's name and script, found in the folders of `src/pipelines`."""
    folder = Path(__file__).resolve().parents[1] / "pipelines"
    return {file.parent.name: file for file in sorted(folder.glob("*/pipeline_*.py"))}


def pipeline_module(script: Path) -> str:
    """The name by which a recommender's script is imported, or run with `python -m`."""
    return f"pipelines.{script.parent.name}.{script.stem}"


def load_pipeline(name: str) -> Pipeline[Any]:
    """The recommender of this name, ready to be run. Raises KeyError if there is none."""
    pipeline: Pipeline[Any] = import_module(pipeline_module(pipeline_files()[name])).pipeline
    return pipeline


def child_environment() -> dict[str, str]:
    """The environment of a pipeline's own process."""
    source = str(Path(__file__).resolve().parents[1])
    return os.environ | {"PYTHONPATH": source}
