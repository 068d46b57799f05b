"""What a run that was made again is shown as."""

from collections.abc import Iterator
from dataclasses import asdict

from utils.rerun import Rerun
from utils.run_differences import Differences, ListDifference
from utils.surroundings_changes import Change

SHOWN = 8  # characters of a run id
CHANGES_SHOWN = 20
LONG = 44  # characters of a value


def record(found: Rerun) -> dict[str, object]:
    """The result as plain values, for JSON."""
    return {
        "run_id": found.first.id,
        "rerun_id": found.again_id,
        "pipeline": found.first.pipeline,
        "identical": found.differences.identical,
        "same_model_file": found.same_model,
        "differences": asdict(found.differences),
        "changes": None if found.changes is None else [asdict(one) for one in found.changes],
    }


def lines(found: Rerun) -> Iterator[str]:
    """The result for people: what differs and by how much, then what changed around it."""
    again = f"run {found.again_id[:SHOWN]}"
    if found.differences.identical:
        yield f"identical: {again} has the metrics, lists and scores of {found.first}, to the bit"
    else:
        yield f"different: {again} is not what {found.first} was"
        yield from (f"  {line}" for line in _differences(found.differences))
    if not found.same_model:
        yield "the file of the model is another one, byte by byte"
    yield from _changes(found)


def _differences(found: Differences) -> Iterator[str]:
    for name, (before, after) in found.metrics.items():
        yield f"{name}: {_number(before)} -> {_number(after)}{_gap(before, after)}"
    if found.lists:
        yield _lists(found.lists)
    if found.scores:
        one = found.scores
        yield (
            f"scores: {one.values:,} of {one.of:,} of the same items at the same places, "
            f"by {one.largest:.3g} at the most"
        )
    if found.predictions:
        one = found.predictions
        yield f"predictions: {one.values:,} of {one.of:,}, by {one.largest:.3g} at the most"


def _lists(one: ListDifference) -> str:
    before, after = (f"movie {m}" if m is not None else "nothing" for m in one.movies)
    return (
        f"lists: those of {one.users:,} of {one.of:,} users; first at place {one.rank} "
        f"of user {one.user_id}: {before} -> {after}"
    )


def _number(value: float | None) -> str:
    return "none" if value is None else repr(value)


def _gap(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f" ({after - before:+.3g})"


def _changes(found: Rerun) -> Iterator[str]:
    if found.changes is None:
        yield f"what changed since is not known: {found.first} kept no surroundings"
    elif not found.changes:
        yield "nothing changed in code, packages, machine, threads or data"
    else:
        yield "what changed in the surroundings:"
        yield from (f"  {_change(one)}" for one in found.changes[:CHANGES_SHOWN])
        if len(found.changes) > CHANGES_SHOWN:
            yield f"  and {len(found.changes) - CHANGES_SHOWN} more (--format json has them all)"


def _change(one: Change) -> str:
    before, after = (_short(value) for value in (one.before, one.after))
    return f"{one.name}: {before} -> {after}"


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    return value if len(value) <= LONG else value[: LONG - 3] + "..."
