"""The definitions are whole, true of what a run logs, and the same in every place."""

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from core.paths import ROOT
from core.protocol import EvaluationProtocol
from pipelines.popularity.model import Popularity, PopularityParams
from tiny_datasets import noisy
from utils import metric_output, metrics
from utils.evaluation import evaluate
from utils.metric_definitions import COUNTS, DEFINITIONS, LIBRARIES, RANKING


def test_every_number_that_an_evaluation_gives_is_defined() -> None:
    data = noisy()
    model = Popularity(PopularityParams()).fit(data)
    found = evaluate(model, data, EvaluationProtocol("tiny"))
    logged = set(found.metrics)
    assert "rmse" in logged
    assert logged <= set(DEFINITIONS) | set(COUNTS)
    assert set(found.per_user) == {one.name for one in RANKING}
    assert {one.__name__ for one in metrics.RANKING_METRICS} < set(DEFINITIONS)


def test_every_definition_is_whole_and_names_known_libraries() -> None:
    for one in DEFINITIONS.values():
        assert all((one.title, one.formula, one.unit, one.source)), one.name
        assert set(one.elsewhere) <= set(LIBRARIES), one.name
        assert sorted([*one.agreeing(), *one.differing()]) == sorted(one.elsewhere)
    for key in LIBRARIES:
        assert any(key in one.elsewhere for one in RANKING), key


def test_the_page_is_what_the_command_prints() -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert page == metric_output.as_markdown(), "recarena metrics --format md > docs/metrics.md"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_on_a_terminal_nothing_is_cut(width: int) -> None:
    text = io.StringIO()
    Console(file=text, width=width).print(metric_output.as_text())
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    for one in DEFINITIONS.values():
        assert one.name in words
    if width == 200:
        assert all(said in words for one in RANKING for said in one.differing().values())


def test_the_command_in_every_format() -> None:
    def call(*args: str) -> str:
        command = [sys.executable, "-m", "cli", "metrics", *args]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT / "src")
        return done.stdout

    assert "sum of hit(j) over the list / |R|" in call("--definitions")
    found = json.loads(call("--format", "json"))
    assert {one["name"] for one in found["metrics"]} == set(DEFINITIONS)
    assert found["libraries"]["ranx"]["name"] == "ranx"
    assert call("--format", "md") == metric_output.as_markdown()
