"""Settings and parameters of whatever text: a value in range, or one line that names it."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core import settings as module
from core.errors import RecArenaError
from core.params import PARAMS_FILE
from core.settings import Settings
from utils.runner import load_pipeline, pipeline_files

NASTY = [
    "", " ", "0", "-1", "-0", "1e400", "nan", "NaN", "inf", "-inf", "0x10", "1_000", "9" * 30,
    "9" * 5000, "true", "None", "null", "[]", "{}", "a\nb", "\x1b[31mred", "\u202eabc", "\u0665",
    "'; drop table", "$(id)", "../../etc", "%s%n", "{0}", "<b>", "\ufeff1",
]  # fmt: skip
values = st.sampled_from(NASTY) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
)
PIPELINES = {name: load_pipeline(name) for name in pipeline_files()}


def checked(said: str, name: str) -> None:
    assert said.isprintable(), "one line, and nothing that a terminal obeys"
    assert name.upper() in said
    assert len(said) < 500


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(Settings.model_fields)), values)
@example("bind_host", "9" * 5000)
def test_settings(name: str, value: str) -> None:
    said = ""
    try:
        Settings.load(**{name: value})
    except RecArenaError as error:
        said = str(error)
    if said:
        checked(said, name)


@settings(deadline=None, max_examples=300)
@given(st.data(), values)
def test_parameters(data: st.DataObject, value: str) -> None:
    pipeline = PIPELINES[data.draw(st.sampled_from(sorted(PIPELINES)))]
    name = data.draw(st.sampled_from(sorted(pipeline.params.model_fields)))
    said = ""
    try:
        pipeline.params.load(pipeline.folder, {name: value})
    except RecArenaError as error:
        said = str(error)
    if said and "=" in said.split(":", 1)[0]:  # else of several parameters together
        checked(said, name)
    assert said.isprintable()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_no_parameter_and_no_setting_is_infinite_or_no_number(value: str) -> None:
    numbers = [
        (pipeline, name)
        for pipeline in PIPELINES.values()
        for name, field in pipeline.params.model_fields.items()
        if field.annotation is float
    ]
    assert len(numbers) > 10
    for pipeline, name in numbers:
        with pytest.raises(RecArenaError, match=name.upper()):
            pipeline.params.load(pipeline.folder, {name: value})
    with pytest.raises(RecArenaError, match="RELEVANCE_THRESHOLD: "):
        Settings.load(relevance_threshold=value)


@pytest.mark.parametrize("name", ["n_test", "n_held_back", "user_num", "top_k"])
def test_counts_are_of_a_size_that_the_database_has(name: str) -> None:
    with pytest.raises(RecArenaError, match=f"{name.upper()}: "):
        Settings.load(**{name: str(2**31)})


BYTES = [b"\xff\xfe", b"TOP_K=\xff\n", b"\0", b"TOP_K=1\0\n", b"=\n", b"'\n", b"TOP_K='\n"]


@pytest.mark.parametrize("content", BYTES)
def test_an_env_file_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / ".env").write_bytes(content)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    said = ""
    try:
        Settings.load()
    except RecArenaError as error:
        said = str(error)
    assert said.isprintable()
    assert b"\xff" not in content or str(tmp_path / ".env") in said


@pytest.mark.parametrize("content", BYTES)
def test_a_params_file_of_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PARAMS_FILE).write_bytes(content)
    said = ""
    try:
        PIPELINES["SVD"].params.load(tmp_path)
    except RecArenaError as error:
        said = str(error)
    assert said.isprintable()
    assert b"\xff" not in content or PARAMS_FILE in said


@pytest.mark.parametrize(
    "content", [b"[]", b"1", b'"x"', b"{", b"\xff", b'{"settings": []}', b'{"settings": 5}', b""]
)
def test_a_record_of_services_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    file = tmp_path / "services.json"
    file.write_bytes(content)
    monkeypatch.setattr(module, "LOCAL_SETTINGS", file)
    with pytest.raises(
        RecArenaError, match=r"cannot be read .*; run `recarena up` again$"
    ) as raised:
        Settings.load()
    assert str(raised.value).isprintable()
