"""The command `recarena`."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.errors import UNDELIVERED, RecArenaError, UndeliveredError
from core.harmless import harmless
from core.paths import DATA, ROOT
from core.settings import Settings
from table_models.datasets import DATASETS, find

if TYPE_CHECKING:
    from utils.convention_output import Compared
    from utils.leaderboard_query import Query

# A command imports what it needs: the seconds of another's libraries are not its own.

app = typer.Typer(
    help="Which recommender is best on my data, and can I believe it?",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)

SMALL_SYNTHETIC = {"users": 2_000, "movies": 1_500, "ratings": 200_000}

Folder = Annotated[
    Path | None, typer.Option("--from", help="Folder of the files; data/DATASET by default.")
]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="Data set, e.g. ml-10m.")]
TrackerFile = Annotated[
    Path | None, typer.Option("--tracker", help="MLflow's SQLite file, if it is no local service.")
]
ArtifactsFolder = Annotated[
    Path | None, typer.Option("--artifacts", help="The FTP server's folder, if it is none.")
]
Format = Literal["table", "json", "csv"]
BoardFormat = Literal["table", "json", "csv", "md", "html"]


def wide() -> Console:
    """A console for tables, which are not to be cut where nobody looks at a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def say(text: str) -> None:
    """Print a line for a person."""
    out.print(escape(harmless(text)))


@app.command()
def up() -> None:
    """Start PostgreSQL, the FTP server and MLflow as local processes; harmless when they run."""
    from utils import local_services
    from utils.runs_page import runs_page

    settings = local_services.up(Settings.load(), say)
    say(f"MLflow UI: {runs_page(settings)}")


@app.command()
def down(
    remove_data: Annotated[
        bool, typer.Option("--remove-data", help="Also remove all that they store.")
    ] = False,
) -> None:
    """Stop the local services; what they store stays."""
    from utils import local_services

    end = local_services.wipe if remove_data else local_services.down
    end(say)


@app.command()
def status() -> None:
    """Show whether the local services run, and where; exits 1 unless all do.

    Also tells what waits in the outbox, and ends the runs whose process is gone.
    """
    from utils import local_services, outbox_output

    table = Table("service", "state", "pid", "address", "log", box=None)
    services = local_services.status()
    for one in services:
        table.add_row(one.name, one.state, str(one.pid or ""), one.address or "", str(one.log))
    wide().print(table)
    for line in outbox_output.lines(Settings.load()):
        say(line)
    if any(one.state != "running" for one in services):
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Check what a run needs, and say what to do about what is missing."""
    from utils import doctor as checkup

    checks = checkup.checks(Settings.load())
    for one in checks:
        say(f"{'ok  ' if one.ok else 'FAIL'} {one.name}: {one.detail}")
        if not one.ok:
            say(f"     {one.remedy}")
    if not all(one.ok for one in checks):
        raise typer.Exit(1)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="New folder, or new file that ends in .tar.")],
    tracker: TrackerFile = None,
    artifacts: ArtifactsFolder = None,
) -> None:
    """Copy everything to a new folder or file: data sets, runs, accounts, artifacts."""
    from utils.backup_output import make_backup

    make_backup(Settings.load(), target, tracker, artifacts, say)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="What `recarena backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up what is there now: all of it.")
    ] = False,
    tracker: TrackerFile = None,
    artifacts: ArtifactsFolder = None,
) -> None:
    """Bring everything back from a backup: all of it or nothing."""
    from utils.backup_output import bring_back

    bring_back(Settings.load(), source, tracker, artifacts, say, replace=replace)


@app.command()
def fetch(dataset: Annotated[str, typer.Argument(help="One of the MovieLens data sets.")]) -> None:
    """Download a data set from GroupLens into data/DATASET."""
    from table_models import fetch as fetching

    wanted = find(dataset)
    say(f"{wanted.name} is in {fetching.fetch(wanted)}")
    if wanted.md5 is None:
        say("no MD5 sum of it is known, so the download was not checked against one")


@app.command()
def load(
    dataset: Annotated[str, typer.Argument(help=f"One of {', '.join(DATASETS)}.")],
    folder: Folder = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the data set if it is loaded.")
    ] = False,
) -> None:
    """Load a data set's files into PostgreSQL: all of them or nothing."""
    load_files(Settings.load(), dataset, folder, replace=replace)


def load_files(settings: Settings, dataset: str, folder: Path | None, *, replace: bool) -> None:
    """Load and say what was loaded."""
    from table_models import loader

    report = loader.load(settings, find(dataset), folder, replace=replace)
    rows = ", ".join(f"{n:,} {table}" for table, n in report.rows.items())
    say(f"loaded {report.shown_name}: {rows} in {report.seconds:.1f} s")


@app.command()
def synth(
    target: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = 69_878,
    movies: Annotated[int, typer.Option(help="Number of movies, each rated at least once.")] = (
        10_677
    ),
    ratings: Annotated[int, typer.Option(help="Number of ratings.")] = 10_000_054,
    seed: Annotated[int, typer.Option(help="Seed of the generator.", min=0)] = 0,
) -> None:
    """Write synthetic ratings in the ml-10m format; by default of MovieLens 10M's size."""
    from table_models import synthetic

    synthetic.generate(target, users=users, movies=movies, ratings=ratings, seed=seed)
    say(f"wrote SYNTHETIC ratings to {target}; next: recarena load synthetic --from {target}")


@app.command()
def run(
    names: Annotated[list[str], typer.Argument(help="Recommenders, or all.")],
    dataset: DatasetOption = None,
    settings_of_run: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter, e.g. factors=50."),
    ] = None,
) -> None:
    """Train, judge and track recommenders, one after the other."""
    run_pipelines(names, dataset, settings_of_run or [])


def run_pipelines(names: Sequence[str], dataset: str | None, assignments: Sequence[str]) -> None:
    """Run each in a process of its own, so that its memory is its own; all before any error."""
    from utils import outbox_output, run_group
    from utils.pipeline_process import run_process
    from utils.runner import pipeline_module

    chosen = chosen_pipelines(names)
    commands = {name: [*pipeline_args(chosen[name], assignments)] for name in chosen}
    for assignment in assignments:
        if not any(_option(assignment)[0] in args for args in commands.values()):
            raise RecArenaError(f"--set {assignment}: {', '.join(chosen)} has no such parameter")
    if dataset:
        commands = {name: [*args, "--dataset", dataset] for name, args in commands.items()}
    kept = []
    with run_group.together(list(commands), dataset, say) as group:
        for name, args in commands.items():
            status = run_process(pipeline_module(chosen[name]), args, group.variables)
            if status == UNDELIVERED:
                kept.append(name)
            if status:
                group.failed.append(name)
    outbox_output.tell_what_failed(len(commands), group.failed, kept)


def chosen_pipelines(names: Sequence[str]) -> dict[str, Path]:
    """The scripts of the named recommenders, in any case. Raises RecArenaError for another."""
    from utils.runner import pipeline_files

    known = pipeline_files()
    if any(name.lower() == "all" for name in names):
        return known
    by_name = {name.lower(): name for name in known}
    for name in names:
        if name.lower() not in by_name:
            raise RecArenaError(f"no recommender {name!r}; there are {', '.join(known)} and all")
    return {by_name[name.lower()]: known[by_name[name.lower()]] for name in names}


def pipeline_args(script: Path, assignments: Sequence[str]) -> list[str]:
    """The assignments that this recommender has a parameter for, as its command line takes them."""
    from utils.runner import load_pipeline

    known = load_pipeline(script.parent.name).params.model_fields
    args = []
    for assignment in assignments:
        option, value = _option(assignment)
        if option.removeprefix("--").replace("-", "_") in known:
            args += [option, value]
    return args


def _option(assignment: str) -> tuple[str, str]:
    key, equals, value = assignment.partition("=")
    if not (key and equals):
        raise RecArenaError(f"--set {assignment}: write it as KEY=VALUE, e.g. factors=50")
    return f"--{key.lower().replace('_', '-')}", value


@app.command()
def rerun(
    run: Annotated[str, typer.Argument(help="A run's id, its first characters, or a recommender.")],
    dataset: DatasetOption = None,
    output: Annotated[
        Literal["table", "json"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """Run a finished run again and say whether the same came out; exits 3 if it did not."""
    from utils import rerun_output
    from utils.rerun import rerun as repeat

    told = Console(stderr=output == "json", highlight=False, soft_wrap=True)
    found = repeat(Settings.load(), run, dataset, lambda text: told.print(text, markup=False))
    if output == "json":
        print(json.dumps(rerun_output.record(found), indent=2))  # noqa: T201
    else:
        for line in rerun_output.lines(found):
            told.print(line, markup=False)
    if not found.differences.identical:
        raise typer.Exit(3)


@app.command()
def push() -> None:
    """Deliver the runs that wait in the outbox because a service was away."""
    from utils.push import push as deliver

    deliver(Settings.load(), say)


@app.command()
def leaderboard(
    dataset: DatasetOption = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="MLflow experiment; EXPERIMENT_NAME's else.")
    ] = None,
    sort: Annotated[
        str, typer.Option("--sort", help="Metric to rank by, e.g. recall, rmse, coverage or fit.")
    ] = "ndcg",
    top: Annotated[int, typer.Option("--top", help="Rows to show; 0 for all.")] = 25,
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", help="A further metric to show; repeatable.")
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Keep some runs: recommender=SVD, factors=20, k=10, fit<60; repeatable.",
        ),
    ] = None,
    output: Annotated[BoardFormat, typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Rank the finished runs that can be compared with the newest one; show others apart."""
    from utils import leaderboard_query as asked

    schema = find(dataset).schema if dataset else None
    query = asked.query(sort, top, schema, filters or [])
    more = [asked.metric(name) for name in metrics or []]
    show_leaderboard(asked.in_experiment(Settings.load(), experiment), query, output, more)


def show_leaderboard(
    settings: Settings, query: "Query", output: BoardFormat, metrics: Sequence[str] = ()
) -> None:
    """Print the leaderboard."""
    from utils import leaderboard_output
    from utils.leaderboard import board

    found = board(settings, query)
    if output in ("json", "csv"):
        made = leaderboard_output.as_json if output == "json" else leaderboard_output.as_csv
        print(made(found).removesuffix("\n"))  # noqa: T201
        return
    if not found.rows:
        Console(stderr=output != "table", highlight=False, soft_wrap=True).print(
            "no finished runs; start one with `recarena run SVD`"
        )
        return
    from utils import leaderboard_pages as pages

    if output == "table":
        console = wide()
        console.print(pages.for_terminal(found, console, metrics))
    else:
        made_page = pages.as_markdown if output == "md" else pages.as_html
        print(made_page(found, metrics), end="")  # noqa: T201


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A run's id, its first characters, or a recommender.")],
    b: Annotated[str, typer.Argument(help="Another one, judged alike.")],
    dataset: DatasetOption = None,
    output: Annotated[
        Literal["table", "json", "md"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """Compare two finished runs: parameters, metrics with a paired test, users, lists."""
    from utils import comparison, comparison_output

    found = comparison.compare(Settings.load(), a, b, dataset)
    if output == "json":
        print(json.dumps(comparison_output.record(found), indent=2))  # noqa: T201
    elif output == "md":
        print(comparison_output.as_markdown(found), end="")  # noqa: T201
    else:
        console = wide()
        console.print(
            comparison_output.as_text(found, width=console.width, terminal=out.is_terminal)
        )


@app.command()
def metrics(
    definitions: Annotated[
        bool, typer.Option("--definitions", help="Print what each metric is; the default.")
    ] = False,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Judge the lists of this run, by its id or recommender."),
    ] = None,
    convention: Annotated[
        str, typer.Option("--convention", help="With --run: recbole, lenskit, ... or all.")
    ] = "all",
    dataset: DatasetOption = None,
    output: Annotated[
        Literal["table", "json", "md"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """Say what each metric is, and what a run's metrics are in other libraries' conventions."""
    from utils.convention_output import compared

    if definitions or run is None:
        show_definitions(output)
    if run is not None:
        show_conventions(compared(Settings.load(), run, convention, dataset), output)


def show_definitions(output: Literal["table", "json", "md"]) -> None:
    """Print what each metric is, where it is from, and what other libraries compute instead."""
    from utils import metric_output

    if output == "json":
        print(json.dumps(metric_output.as_record(), indent=2))  # noqa: T201
    elif output == "md":
        print(metric_output.as_markdown(), end="")  # noqa: T201
    else:
        wide().print(metric_output.as_text())


def show_conventions(found: "Compared", output: Literal["table", "json", "md"]) -> None:
    """Print a run's metrics in our convention and in others."""
    from utils import convention_output

    if output == "json":
        print(json.dumps(convention_output.record(found), indent=2))  # noqa: T201
    elif output == "md":
        print(convention_output.as_markdown(found), end="")  # noqa: T201
    else:
        for line in convention_output.head(found):
            say(line)
        wide().print(convention_output.as_table(found, terminal=out.is_terminal))


@app.command()
def report(
    dataset: DatasetOption = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="MLflow experiment of the runs.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="RUN", help="Report on the runs comparable with this one."),
    ] = None,
    target: Annotated[
        Path, typer.Option("--out", help="File to write; - for standard output.")
    ] = Path("report.html"),
) -> None:
    """Write what comparable runs achieved as one HTML page, and log it to MLflow.

    Of the newest comparable runs, unless --like names others.
    """
    from utils.leaderboard_query import in_experiment
    from utils.report.make import STDOUT, make

    settings = in_experiment(Settings.load(), experiment)
    schema = find(dataset).schema if dataset else None
    made = make(settings, target, schema=schema, like=like)
    said = Console(stderr=target == STDOUT, highlight=False, soft_wrap=True)
    said.print(harmless(str(made)), markup=False)
    said.print(f"in MLflow: {made.address}", markup=False)


@app.command()
def ladder(
    dataset: DatasetOption = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="How many folds to run; all unless given.")
    ] = None,
    output: Annotated[
        Literal["table", "json", "csv", "md"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """Run recommenders under the protocol of published results, and show ours beside them."""
    from utils import ladder as climbing
    from utils import ladder_output

    settings = Settings.load()
    found = climbing.data_sets(settings, dataset)
    notes = climbing.notes(found)
    said = Console(stderr=output != "table", highlight=False, soft_wrap=True)
    for note in notes:
        said.print(note, markup=False)
    steps = climbing.climb_all(settings, found, folds, lambda line: said.print(line, markup=False))
    if output != "table":
        print(ladder_output.as_text(steps, notes, output), end="")  # noqa: T201
    elif steps:
        wide().print(ladder_output.as_table(steps))
        for line in ladder_output.footnotes(steps):
            say(line)


@app.command()
def recommend(
    run: Annotated[
        str, typer.Option("--run", help="A run's id, its first characters, or a recommender.")
    ],
    user: Annotated[int, typer.Option("--user", help="Id of the user in the data set.")],
    k: Annotated[int, typer.Option("-k", help="Length of the list.")] = 10,
    dataset: DatasetOption = None,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Ask a finished run: the movies that its model recommends to a user."""
    from utils import answer_output
    from utils.asking import ask

    answer = ask(Settings.load(), run, user, k, dataset)
    if output == "json":
        print(json.dumps(answer_output.record(answer), indent=2))  # noqa: T201
        return
    said = Console(stderr=output == "csv", highlight=False, soft_wrap=True)
    for line in answer_output.lines(answer):
        said.print(line, markup=False)
    if output == "csv":
        print(answer_output.as_csv(answer), end="")  # noqa: T201
    elif answer.movies:
        wide().print(answer_output.as_table(answer, terminal=out.is_terminal))


@app.command()
def new(name: Annotated[str, typer.Argument(help="Its name, e.g. item_mean.")]) -> None:
    """Make the files of a recommender of your own: a start that runs and knows nothing."""
    from utils import new_recommender

    made = new_recommender.make(name)
    for file in made.new:
        say(f"made {file.relative_to(ROOT)}")
    for file in made.changed:
        say(f"added {name} to {file.relative_to(ROOT)}")
    for task in made.by_hand:
        say(f"by hand: {task}")
    say(f"next: write model.py, until this passes: python -m pytest tests/pipelines -k {name}")
    say(f"then: recarena run {name} (docs/adding-a-recommender.md shows an example)")


@app.command()
def demo(dataset: DatasetOption = None, folder: Folder = None) -> None:
    """A whole experiment: services, data, every recommender, leaderboard."""
    from utils import leaderboard_query, local_services
    from utils.runs_page import runs_page

    ran = any(one.state == "running" for one in local_services.status())
    try:
        settings = local_services.up(Settings.load(), say)
        name = prepare(settings, dataset, folder)
        run_pipelines(["all"], name, [])
        query = leaderboard_query.query("ndcg", 0, find(name).schema, [])
        show_leaderboard(settings, query, "table")
    except (KeyboardInterrupt, SystemExit):
        if not ran:
            local_services.down(say)
        raise
    say(f"MLflow UI: {runs_page(settings)} (stop everything with `make down`)")


def prepare(settings: Settings, dataset: str | None, folder: Path | None) -> str:
    """Have a data set loaded and return its name; says which one and why."""
    from table_models.database import loaded

    name, folder = pick(dataset or settings.dataset, folder, say)
    if folder is None and any(one.name == name for one in loaded(settings)):
        say(f"{name} is loaded already")
    else:
        load_files(settings, name, folder, replace=True)
    return name


def pick(
    wanted: str | None, folder: Path | None, report: Callable[[str], None], data: Path = DATA
) -> tuple[str, Path | None]:
    """The data set for the demo: the one asked for, else the best one at hand."""
    from table_models import fetch as fetching
    from table_models import synthetic

    if wanted:
        name = find(wanted).name
        if folder is None and not (data / name).is_dir() and find(name).url:
            fetching.fetch(find(name), data)
        return name, folder
    if folder is not None:
        raise RecArenaError("--from says where the files are; say with --dataset what they are")
    for name in ("ml-10m", "ml-latest-small"):
        if (data / name).is_dir():
            report(f"using {name}, because it is in {data / name}")
            return name, None
    try:
        fetching.fetch(find("ml-latest-small"), data)
    except RecArenaError as error:
        report(f"making a small SYNTHETIC data set, because there is none and: {error}")
        if not (data / "synthetic").is_dir():
            synthetic.generate(data / "synthetic", **SMALL_SYNTHETIC)
        return "synthetic", None
    report("using ml-latest-small, downloaded because no data set was there")
    return "ml-latest-small", None


def main() -> None:
    """Run the command; a user's mistake is one line and status 1, what has to wait 75."""
    try:
        app()
    except RecArenaError as error:
        said = harmless(f"error: {error}")
        Console(stderr=True, highlight=False, soft_wrap=True).print(said, markup=False)
        sys.exit(UNDELIVERED if isinstance(error, UndeliveredError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
