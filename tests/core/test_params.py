import pickle
import re
from pathlib import Path

import pytest
from pydantic import Field, PositiveInt, ValidationError, model_validator

from core.errors import RecArenaError
from core.params import PARAMS_FILE, PipelineParams, parse


class ToyParams(PipelineParams):
    factors: PositiveInt = 20
    """Factors, 100 % of them."""
    use_bias: bool = True
    """Whether biases are learned."""
    seed: int = Field(0, ge=0)
    """Seed."""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ToyParams.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_strongest_source_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ToyParams.load(tmp_path).factors == 20
    (tmp_path / PARAMS_FILE).write_text("FACTORS=30\nUSE_BIAS=false\n")
    assert ToyParams.load(tmp_path) == ToyParams(factors=30, use_bias=False)
    monkeypatch.setenv("FACTORS", "40")
    assert ToyParams.load(tmp_path).factors == 40
    assert ToyParams.load(tmp_path, {"factors": "50"}).factors == 50


def test_a_misspelt_key_in_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / PARAMS_FILE).write_text("FACTOR=30\n")
    with pytest.raises(
        RecArenaError, match=r"pipeline_params.env: unknown parameter FACTOR; there"
    ):
        ToyParams.load(tmp_path)


@pytest.mark.parametrize(("name", "value"), [("factors", "0"), ("seed", "-1"), ("use_bias", "?")])
def test_a_value_out_of_range_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(RecArenaError, match=re.escape(f"{name.upper()}={value}: ")):
        ToyParams.load(tmp_path, {name: value})


def test_command_line() -> None:
    given = parse(["--use-bias", "false"], "toy", [(ToyParams, ToyParams.model_fields)])
    assert given == [{"use_bias": "false"}]


def test_help_shows_the_docstrings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"], "toy", [(ToyParams, ToyParams.model_fields)])
    assert "Factors, 100 % of them. [20]" in capsys.readouterr().out


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(["--factor", "3"], "toy", [(ToyParams, ToyParams.model_fields)])
    assert refused.value.code == 2
    assert "--factor" in capsys.readouterr().err


def test_parameters_that_exclude_each_other_are_refused_in_one_line(tmp_path: Path) -> None:
    class Exclusive(PipelineParams):
        one: bool = False
        """One way."""
        other: bool = False
        """The other way."""

        @model_validator(mode="after")
        def _not_both(self) -> "Exclusive":
            if self.one and self.other:
                raise ValueError("ONE and OTHER exclude each other")
            return self

    with pytest.raises(RecArenaError, match=r"^ONE and OTHER exclude each other$"):
        Exclusive.load(tmp_path, {"one": "true", "other": "true"})


def test_a_pickle_is_the_same_however_they_were_given(tmp_path: Path) -> None:
    given = ToyParams.load(tmp_path, {"seed": "0", "factors": "20"})
    assert pickle.dumps(given) == pickle.dumps(ToyParams())
    again = pickle.loads(pickle.dumps(given))
    assert again == given
    with pytest.raises(ValidationError, match="frozen"):
        again.seed = 1
