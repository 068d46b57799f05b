"""What a protocol says of itself: to a run, to people, and to who reads an older run."""

from datetime import date
from typing import Any

import pytest

from conftest import make_settings
from core.errors import RecArenaError
from core.protocol import EvaluationProtocol, describe, unused
from core.settings import Settings

OLDER_RUN = {  # as runs logged it when there was one strategy
    "protocol.dataset": "ml-100k",
    "protocol.n_test": "3",
    "protocol.n_held_back": "0",
    "protocol.k": "20",
    "protocol.relevance_threshold": "4.0",
    "protocol.user_num": "0",
    "protocol.user_seed": "0",
    "protocol.split": "last_n",
    "factors": "10",
}
GIVEN: list[dict[str, Any]] = [
    {"n_test": 3, "top_k": 20},
    {"n_held_back": 5, "split_part": "validation"},
    {"split": "leave_one_out", "user_num": 7, "user_seed": 1},
    {"split": "random", "n_folds": 10, "fold": 10, "split_seed": -4},
    {"split": "global_time", "split_quantile": 0.85},
    {"split": "global_time", "split_date": date(2008, 1, 31), "split_part": "validation"},
]


@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_a_runs_parameters_say_the_protocol_and_nothing_else(given: dict[str, Any]) -> None:
    protocol = EvaluationProtocol.of(make_settings(**given), "ml-100k")
    logged = {name: str(value) for name, value in protocol.params().items()}
    assert EvaluationProtocol.of_run(logged) == protocol
    meant = {name.replace("top_k", "k"): str(value) for name, value in given.items()}
    assert {f"protocol.{name}": value for name, value in meant.items()}.items() <= logged.items()


def test_an_older_run_has_the_protocol_of_a_new_one() -> None:
    protocol = EvaluationProtocol.of_run(OLDER_RUN)
    assert protocol == EvaluationProtocol("ml-100k", n_test=3, k=20)
    logged = {name: str(value) for name, value in protocol.params().items()}
    assert logged == {name: value for name, value in OLDER_RUN.items() if name != "factors"}


def test_only_what_applies_is_logged() -> None:
    settings = make_settings(split="random", n_test=3, split_quantile=0.5)
    found = EvaluationProtocol.of(settings, "x").params()
    assert {name.removeprefix("protocol.") for name in found} == {
        "dataset", "k", "relevance_threshold", "user_num", "user_seed",
        "split", "n_folds", "fold", "split_seed",
    }  # fmt: skip
    assert EvaluationProtocol.of(settings, "x") == EvaluationProtocol("x", split="random")


def test_no_protocol_or_an_unknown_one_is_an_error() -> None:
    for params in ({}, OLDER_RUN | {"protocol.split": "by_mood"}):
        with pytest.raises(ValueError, match=r"dataset|split"):
            EvaluationProtocol.of_run(params)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "all users: the newest 5 ratings of each user are the test set. Lists of 10"),
        ({"n_held_back": 5}, "test set, after the newest 5 were left out. Lists"),
        ({"split": "leave_one_out", "user_num": 9}, "a sample of 9 users: the newest rating of"),
        ({"split": "random", "fold": 2}, "fold 2 of 5 random parts of all ratings (seed 0) is the"),
        ({"split": "global_time"}, "all ratings after the oldest 90 % are the test set"),
        (
            {"split": "global_time", "split_date": date(2008, 1, 31)},
            "all ratings from 2008-01-31 (00:00 UTC) on are the test set",
        ),
        (
            {"split": "random", "split_part": "validation"},
            "is the test set; it is left out, and train is split once more in the same way",
        ),
    ],
)
def test_in_words(given: dict[str, Any], words: str) -> None:
    assert words in describe(EvaluationProtocol.of(make_settings(**given), "ml-100k"))


@pytest.mark.parametrize(
    ("given", "notes"),
    [
        ({"n_test": 3, "n_held_back": 2, "split_part": "validation"}, []),
        ({"fold": 2}, ["FOLD=2 is not used: it belongs to SPLIT=random, and SPLIT is last_n"]),
        (
            {"split": "global_time", "split_date": date(2008, 1, 31), "split_quantile": 0.5},
            ["SPLIT_QUANTILE=0.5 is not used: SPLIT_DATE is given"],
        ),
        (
            {"split": "leave_one_out", "n_test": 3, "split_date": date(2008, 1, 31)},
            [
                "N_TEST=3 is not used: it belongs to SPLIT=last_n, and SPLIT is leave_one_out",
                "SPLIT_DATE=2008-01-31 is not used: it belongs to SPLIT=global_time, and SPLIT is "
                "leave_one_out",
            ],
        ),
    ],
)
def test_what_is_not_used_is_said(given: dict[str, Any], notes: list[str]) -> None:
    assert unused(make_settings(**given)) == notes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "random", "fold": "6"}, "FOLD=6: there are only N_FOLDS=5 folds"),
        ({"split": "random", "n_folds": "1"}, "N_FOLDS"),
        ({"split": "global_time", "split_quantile": "1"}, "SPLIT_QUANTILE"),
        ({"split": "global_time", "split_quantile": "nan"}, "SPLIT_QUANTILE"),
        ({"split": "global_time", "split_date": "31.1.2008"}, "SPLIT_DATE"),
        ({"split": "by_mood"}, "SPLIT: .*'last_n'.*'global_time'"),
        ({"split_part": "train"}, "SPLIT_PART"),
    ],
)
def test_a_wrong_setting_is_one_line(given: dict[str, str], message: str) -> None:
    with pytest.raises(RecArenaError, match=message) as refused:
        Settings.load(**given)
    assert "\n" not in str(refused.value)
