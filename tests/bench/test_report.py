"""The report that the benchmarks write from what they have measured."""

import json
from pathlib import Path

import pytest

from harness import goals, plan, report, results
from harness.plan import Plan
from harness.show_own import runs
from harness.sizes import exponent
from harness.tables import number, spread
from run import kept

FLOOR = {"shape": "some", "floor": [1.0, 1.2, 1.1], "work": [1.3, 1.4, 1.5]}
RUN = {
    "wall": 60.0,
    "read": 1.0,
    "fit": 50.0,
    "recommend": 4.0,
    "evaluate": 1.0,
    "rest": 4.0,
    "peak_mib": 500.0,
    "date": "today",
}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan whose files lie in a folder of their own, not where the real results are."""
    monkeypatch.setattr(plan, "WORK", tmp_path)
    return Plan(scale=0.5)


def test_the_report_has_what_was_measured_and_names_what_was_not(small: Plan) -> None:
    results.save(small, "rank", 0.1, FLOOR)
    text = report.write(small).read_text()
    assert "| top-10 of all users, 128 factors | 1.4 (1.3-1.5) s | 1.1 (1-1.2) s | 1.27 |" in text
    assert "Not measured yet: load, read," in text


def test_the_report_takes_up_the_sections_of_others(small: Plan) -> None:
    file = results.file_of(small, "containers")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"markdown": "## Containers\n\nas large as they are"}))
    assert "\n## Containers\n\nas large as they are\n" in report.write(small).read_text()


def test_the_report_of_another_scale_leaves_the_real_one_alone(small: Plan) -> None:
    assert report.write(small).parent == small.work


def test_a_missed_goal_is_written_down_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reasons.toml").write_text('slow = "it is uphill"\n')
    monkeypatch.setattr(goals, "BENCH", tmp_path)
    missed = goals.below("slow", "walking", [3.0, 9.0], 5, "s")
    reached = goals.beside_peer("fast", "running", [1.0], [3.0], 3)
    text = "\n".join(goals.lines([missed, reached]))
    assert "| walking | 6 (3-9) s | - | - | below 5 s | **no** |" in text
    assert "| running | 1 s | 3 s | 3.00 | at least 3 times | yes |" in text
    assert text.count("\n- ") == 1
    assert "- walking: it is uphill" in text


def test_what_was_not_measured_is_no_goal_reached() -> None:
    assert not goals.below("key", "work", [], 5, "s").met
    assert not goals.beside_peer("key", "work", [1.0], [], 3).met
    assert not goals.beside_floor("key", "work", [], [1.0], 3).met


def test_a_failed_pipeline_is_no_total() -> None:
    found, lines = runs({"pipelines": {"a": [RUN, RUN], "b": [{"failed": "no memory"}]}})
    assert not found[0].met
    assert any(line.startswith("| b | no memory |") for line in lines)
    found, _ = runs({"pipelines": {"a": [RUN, RUN], "b": [RUN, RUN]}})
    assert found[0].met
    assert found[0].ours == "2 (2-2) min"


def test_some_pipelines_measured_again_leave_the_others(tmp_path: Path, small: Plan) -> None:
    results.save(small, "runs", 0.1, {"pipelines": {"a": [1], "b": [2]}})
    again = Plan(scale=0.5, pipelines=("b",))
    assert kept(again, "runs", {"pipelines": {"b": [3]}}) == {"pipelines": {"a": [1], "b": [3]}}
    assert kept(small, "runs", {"pipelines": {"b": [3]}}) == {"pipelines": {"b": [3]}}


def test_the_exponent_of_a_power_is_found() -> None:
    ratings = [1e5, 1e6, 1e7, 3e7]
    assert exponent(ratings, [2 * n**1.3 for n in ratings]) == pytest.approx(1.3)


def test_numbers_have_the_digits_that_count() -> None:
    assert [number(value) for value in (1234.5, 12.345, 0.01234, 0.0)] == [
        "1,234",
        "12.3",
        "0.012",
        "0",
    ]
    assert spread([3.0, 1.0, 2.0]) == "2 (1-3)"
