import pytest

from core.learning import epochs, listening, report


def test_losses_reach_the_listener_of_the_block_only() -> None:
    heard: list[tuple[int, dict[str, float]]] = []
    report(1, loss=9)  # nobody listens
    with listening(lambda epoch, losses: heard.append((epoch, losses))):
        for epoch in epochs("learning", 3):
            report(epoch, loss=1 / epoch)
    report(4, loss=9)
    assert heard == [(1, {"loss": 1.0}), (2, {"loss": 0.5}), (3, {"loss": 1 / 3})]


def test_listeners_nest() -> None:
    outer: list[int] = []
    inner: list[int] = []
    with listening(lambda epoch, _: outer.append(epoch)):
        with listening(lambda epoch, _: inner.append(epoch)):
            report(1)
        report(2)
    assert (outer, inner) == ([2], [1])


def test_a_loop_that_is_left_early_shows_how_far_it_came(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for epoch in epochs("learning", 8):
        if epoch == 2:
            break
    assert capsys.readouterr().err.startswith("learning: 2 epochs (25%)")
