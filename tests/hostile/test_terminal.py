"""Whatever a tracker or a database holds, a terminal shows it and does nothing else with it."""

from collections.abc import Callable

import pytest

import cli
from conftest import as_environment
from core.harmless import CONTROLS, harmless
from core.settings import Settings
from utils.tracking import prepare_client

HOSTILE = (
    "[bold red]x[/] \x1b[31m\x1b]0;owned\x07\x9b2J\r\u202e <script>alert(1)</script> "
    "'; drop table users; -- $(touch /tmp/owned) `id` | \x08"
)
OBEYED = set("\x1b\x07\x9b\r\x08\u202e\u2066\ufeff\x7f\u061c")


@pytest.fixture(scope="module")
def settings(own_services: Settings) -> Settings:
    """The services, with a finished run in MLflow whose every text is hostile."""
    prepare_client(own_services)
    from mlflow import MlflowClient  # noqa: PLC0415

    client = MlflowClient(own_services.tracking_uri)
    experiment = client.create_experiment(own_services.experiment_name)
    for factors in ("50", "60"):
        tags = {
            "pipeline": "SVD",
            "dataset": HOSTILE,
            "dataset_schema": "synthetic",
            "fingerprint": HOSTILE,
        }
        run = client.create_run(experiment, tags=tags, run_name=HOSTILE)
        client.log_param(run.info.run_id, "factors", factors)
        client.log_param(run.info.run_id, "note", HOSTILE + factors)
        client.log_param(run.info.run_id, "protocol.k", "10")
        client.log_param(run.info.run_id, "protocol.dataset", HOSTILE)
        client.log_metric(run.info.run_id, "ndcg_at_k", 0.5)
        client.log_metric(run.info.run_id, "n_users_evaluated", 5)
        client.set_terminated(run.info.run_id)
    return own_services


@pytest.fixture
def command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs a command on the services and returns all that it printed."""
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)

    def call(*args: str) -> str:
        monkeypatch.setattr("sys.argv", ["recarena", *args])
        capsys.readouterr()
        with pytest.raises(SystemExit):
            cli.main()
        return "".join(capsys.readouterr())

    return call


@pytest.mark.parametrize(
    "args",
    [
        ["leaderboard"],
        ["leaderboard", "--format", "json"],
        ["leaderboard", "--format", "md"],
        ["leaderboard", "--format", "html"],
        ["leaderboard", "--filter", HOSTILE],
        ["leaderboard", "--sort", HOSTILE],
        ["leaderboard", "--experiment", HOSTILE],
        ["metrics", "--run", HOSTILE],
        ["metrics", "--run", "SVD", "--convention", HOSTILE],
        ["compare", HOSTILE, "SVD"],
        ["recommend", "--run", HOSTILE, "--user", "1"],
        ["rerun", HOSTILE],
        ["run", HOSTILE],
        ["run", "SVD", "--set", HOSTILE],
        ["load", HOSTILE],
        ["load", "ml-1m", "--from", HOSTILE],
        ["fetch", HOSTILE],
        ["new", HOSTILE],
    ],
)
def test_hostile_text_is_shown_harmlessly(command: Callable[..., str], args: list[str]) -> None:
    said = command(*args)
    assert said.strip()
    assert not set(said) & OBEYED
    if args[-1] == "html":
        assert "<script>alert" not in said


def test_the_leaderboard_shows_markup_as_text(command: Callable[..., str]) -> None:
    assert "[bold red]x[/]" in command("leaderboard")


def test_harmless_keeps_what_a_terminal_only_shows() -> None:
    shown = "Amélie «1» [b] <i> 'x' $(id) 日本語 \N{FAMILY} %s"
    assert harmless(shown) == shown
    assert not set(harmless(HOSTILE + "".join(OBEYED))) & OBEYED
    assert CONTROLS.sub("", "a\nb") == "ab"
