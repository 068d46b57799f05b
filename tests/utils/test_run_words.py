"""What a run is called and how it is described."""

import pytest

import tiny_datasets
from core.protocol import EvaluationProtocol
from pipelines.SVD.model import SVDParams, svd
from utils.run_words import COLORS, PART_LENGTH, color, comparable, describe_run, run_name
from utils.runner import pipeline_files

ML_1M = EvaluationProtocol("ml-1m")


def test_a_name_has_what_is_not_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_name("SVD", SVDParams(), ML_1M) == "SVD · ml-1m"
    other = SVDParams(factors=7, fill_with_zero=False)
    assert run_name("SVD", other, ML_1M) == "SVD · factors=7, fill_with_zero=False · ml-1m"
    monkeypatch.setenv("FACTORS", "8")  # it decides what is run, not what the default is
    assert run_name("SVD", SVDParams(), ML_1M) == "SVD · factors=8 · ml-1m"


def test_a_name_says_how_it_was_judged_if_not_as_always() -> None:
    protocol = EvaluationProtocol("ml-1m", k=5, split="random", fold=2)
    name = run_name("SVD", SVDParams(), protocol)
    assert name == "SVD · ml-1m, k=5, split=random, fold=2"


def test_a_name_stays_short() -> None:
    given = {"fill_with_zero": False, "use_bias": True, "reg_user": 1.23456, "reg_item": 6.54321}
    params = SVDParams(factors=123456789, seed=10**18, **given)
    name = run_name("SVD", params, EvaluationProtocol("ml-latest-small"))
    assert name.endswith("… · ml-latest-small")
    assert len(name) == len("SVD ·  · ml-latest-small") + PART_LENGTH


def test_a_description_says_what_was_judged_and_what_came_out() -> None:
    params = SVDParams(factors=7)
    before = describe_run("SVD", svd, params, "by these rules.", 5)
    assert before.startswith(
        "**SVD**: Truncated singular value decomposition of the rating matrix."
    )
    assert "**Judged**: by these rules." in before
    assert "**`factors=7`**, `fill_with_zero=True`" in before
    after = describe_run("SVD", svd, params, "", 5, {"recall_at_k": 0.25, "ndcg_at_k": 1 / 3})
    assert "| NDCG@5 | recall@5 |\n|---|---|\n| 0.3333 | 0.2500 |" in after


def test_only_runs_that_compare_have_one_sign() -> None:
    data = tiny_datasets.noisy()
    sign = comparable(EvaluationProtocol("tiny"), data)
    assert sign == comparable(EvaluationProtocol("tiny"), tiny_datasets.noisy())
    assert sign != comparable(EvaluationProtocol("tiny", k=5), data)


def test_every_recommender_has_a_colour_of_its_own() -> None:
    known = list(pipeline_files())
    assert len({color(name, known) for name in known}) == len(known)
    assert color("somebody's own", known) in COLORS
