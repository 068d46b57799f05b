import pytest

from core.threads import in_threads


def test_every_part_is_worked_on_once_and_progress_adds_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = [0] * 10

    def work(first: int, last: int) -> None:
        for row in range(first, last):
            seen[row] += 1

    in_threads(work, [0, 4, 5, 10], "counting", "rows")
    assert seen == [1] * 10
    assert "counting: 10 rows" in capsys.readouterr().err


def test_nothing_to_do() -> None:
    in_threads(lambda _first, _last: pytest.fail("work was called"), [0], "counting", "rows")


def test_an_error_of_a_part_is_not_lost() -> None:
    def work(first: int, _last: int) -> None:
        if first == 5:
            raise MemoryError("no")

    with pytest.raises(MemoryError):
        in_threads(work, range(0, 11, 5), "counting", "rows")
