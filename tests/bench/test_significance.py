"""bench/significance.py: what it is told and what it writes; not how the figures come out."""

from pathlib import Path

import pytest

import significance


def test_a_section_takes_the_place_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(significance, "REPORT", tmp_path / "report.md")
    significance.written("One", "first")
    significance.written("Two", "| a |\n|---|")
    significance.written("One", "second")
    text = significance.REPORT.read_text()
    assert text.startswith(significance.HEAD)
    assert "first" not in text
    assert text.index("## One\n\nsecond\n\nMeasured 20") < text.index("## Two\n\n| a |")
    assert text.count("## ") == 2


def test_the_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "RESAMPLES", 50)
    monkeypatch.setattr(significance, "EVERYBODY", 9000)
    assert significance.coverage(2).count("| 2 |") == 6
    pairs = [
        line.split(" | ")[:3]
        for line in significance.null(1, 60, ["random", "BPR"]).splitlines()[4:]
    ]
    assert pairs == [
        [f"| {name}", metric, "1"]
        for name in ("random", "BPR")
        for metric in ("recall_at_k", "ndcg_at_k")
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["nothing"], "no part nothing: there are null, "),
        (["null", "--trials", "0"], "at least one"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["significance.py", *wrong])
    with pytest.raises(SystemExit) as ended:
        significance.main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
