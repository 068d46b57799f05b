import pytest

from core import progress as module
from core.progress import progress, silence


def test_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    with progress("loading", 10, "rows") as advance:
        advance(4)
        advance(6)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("loading: 4 rows (40%)")
    assert lines[-1].startswith("loading: 10 rows")


def test_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("loading", None, "rows") as advance:
        advance(4)
    assert "loading" in capsys.readouterr().err


def test_silence_shows_nothing_inside_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with silence(), progress("work", 3, "steps") as advance:
        advance(3)
    assert capsys.readouterr().err == ""
    with progress("work", 3, "steps") as advance:
        advance(3)
    assert capsys.readouterr().err == "work: 3 steps\n"
