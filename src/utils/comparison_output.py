"""Two runs beside each other, as people and programs read them."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from core.protocol import describe
from utils.answer_output import NOT_LOADED, harmless
from utils.comparison import Compared, Listed, MetricPair, Pair, UserPair
from utils.kept_runs import KeptRun

HIT = "*"
NARROW = 70  # columns, below which two lists do not fit beside each other
MARKDOWN = re.compile(r"([\\`*_\[\]#!|~<>&])")
TEST = (
    "Differences are B minus A, with a 95 % bootstrap interval; p is of Fisher's randomisation "
    "test over users, after Holm's correction."
)

Rows = tuple[list[str], list[list[str]]]


def record(found: Compared) -> dict[str, object]:
    """Everything as plain values, for JSON."""
    return {
        "a": _run_record(found.a),
        "b": _run_record(found.b),
        "k": found.k,
        "protocol": found.a.protocol,
        "params": _pairs_record(found.params),
        "surroundings": _pairs_record(found.surroundings),
        "metrics": [_metric_record(one) for one in found.metrics],
        "overlap": asdict(found.overlap),
        "gain": [_user_record(one) for one in found.gain],
        "lose": [_user_record(one) for one in found.lose],
        "notes": found.notes,
    }


def _run_record(one: KeptRun) -> dict[str, str]:
    return {
        "run_id": one.run.id,
        "pipeline": one.run.pipeline,
        "started": one.run.started.isoformat(timespec="seconds"),
        "dataset": one.run.dataset,
        "fingerprint": one.fingerprint,
    }


def _pairs_record(pairs: Mapping[str, Pair]) -> dict[str, dict[str, str | None]]:
    return {name: {"a": a, "b": b} for name, (a, b) in pairs.items()}


def _metric_record(one: MetricPair) -> dict[str, object]:
    """A metric; JSON has no infinite numbers, as an effect can be where all users change alike."""
    test = one.test and {
        name: value if math.isfinite(value) else None for name, value in asdict(one.test).items()
    }
    return asdict(one) | {"difference": one.difference, "test": test}


def _user_record(one: UserPair) -> dict[str, object]:
    lists = {"list_a": one.list_a, "list_b": one.list_b}
    return {
        "user_id": one.user_id,
        "ndcg_at_k": {"a": one.a, "b": one.b, "difference": one.b - one.a},
    } | {
        name: [
            {"movie_id": movie.movie_id, "title": movie.title, "hit": hit} for movie, hit in listed
        ]
        for name, listed in lists.items()
    }


def heads(found: Compared) -> list[str]:
    """Which runs they are, and what could not be found out."""
    runs = (("A", found.a.run), ("B", found.b.run))
    return [
        *(f"{name}: {run}, begun {run.started:%Y-%m-%d %H:%M} UTC" for name, run in runs),
        f"both on {describe(found.a.evaluation_protocol())}",
        f"split {found.a.fingerprint}",
        *found.notes,
    ]


def overlap_line(found: Compared) -> str:
    """How much the lists have in common, in a sentence."""
    one = found.overlap
    return (
        f"Lists of {one.users:,} users: {one.shared * found.k:.1f} of {found.k} items in common on "
        f"average (overlap {one.shared:.3f}, Jaccard {one.jaccard:.3f}), "
        f"{100 * one.identical:.1f} % are identical."
    )


def as_text(found: Compared, *, width: int, terminal: bool) -> RenderableType:
    """All of it for a terminal; lists one below the other where it is narrow."""
    parts: list[RenderableType] = [Text(harmless(line)) for line in heads(found)]
    boxed = terminal and width >= NARROW
    for title, rows in _tables(found):
        parts += [Text(), Text(title, style="bold"), _table(rows, boxed=boxed)]
    parts += [Text(TEST), Text(), Text(overlap_line(found))]
    for title, users in _who(found):
        parts += [Text(), Text(title, style="bold")]
        for one in users:
            parts += [Text(_user_line(one, found.k)), _beside(one, width, terminal=terminal)]
    return Group(*parts)


def _tables(found: Compared) -> Iterator[tuple[str, Rows]]:
    if found.params:
        yield "Parameters that differ", _pair_rows("parameter", found.params)
    else:
        yield "Parameters", (["no difference"], [])
    if found.surroundings:
        yield "Surroundings that differ", _pair_rows("what", found.surroundings)
    yield "Metrics", _metric_rows(found.metrics, found.k)


def _pair_rows(name: str, pairs: Mapping[str, Pair]) -> Rows:
    return [name, "A", "B"], [[key, a or "-", b or "-"] for key, (a, b) in pairs.items()]


def _metric_rows(metrics: Sequence[MetricPair], k: int) -> Rows:
    rows = []
    for one in metrics:
        test = one.test
        rows.append(
            [
                one.name.replace("_at_k", f"@{k}"),
                _number(one.a),
                _number(one.b),
                _number(one.difference if test is None else test.difference, "+"),
                f"{test.low:+.4f} {test.high:+.4f}" if test else "-",
                "-" if one.p_holm is None else f"{one.p_holm:.4f}",
            ]
        )
    return ["metric", "A", "B", "B - A", "95 % interval", "p"], rows


def _number(value: float | None, sign: str = "") -> str:
    if value is None:
        return "-"
    if abs(value) >= 100 or (value and value.is_integer()):
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.4f}"


def _table(rows: Rows, *, boxed: bool) -> Table:
    columns, lines = rows
    table = Table(box=box.SIMPLE_HEAD if boxed else None, padding=(0, 1, 0, 0))
    table.pad_edge = False
    numbers = columns[-1] == "p"
    for place, column in enumerate(columns):
        justify = "right" if numbers and place else "left"
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for line in lines:
        table.add_row(*(Text(harmless(cell)) for cell in line))
    return table


def _who(found: Compared) -> Iterator[tuple[str, list[UserPair]]]:
    for title, users in (("gain", found.gain), ("lose", found.lose)):
        if users:
            yield f"Users who {title} most by B ({HIT} marks a hit)", users
        else:
            yield f"Nobody {title}s by B", users


def _user_line(one: UserPair, k: int) -> str:
    return f"user {one.user_id}: NDCG@{k} {one.a:.4f} in A, {one.b:.4f} in B ({one.b - one.a:+.4f})"


def _beside(one: UserPair, width: int, *, terminal: bool) -> RenderableType:
    lists = [("A", one.list_a), ("B", one.list_b)]
    if width >= NARROW:
        table = Table(box=box.SIMPLE_HEAD if terminal else None, padding=(0, 1, 0, 0), expand=True)
        table.pad_edge = False
        for name, _ in lists:
            table.add_column(name, ratio=1, overflow="fold")
        longest = max(len(one.list_a), len(one.list_b))
        texts = [[_title(entry) for entry in listed] for _, listed in lists]
        for place in range(longest):
            table.add_row(*(t[place] if place < len(t) else Text() for t in texts))
        return table
    return Group(*(Group(Text(f"  {name}:"), *map(_title, listed)) for name, listed in lists))


def _title(entry: Listed) -> Text:
    return Text(f"{HIT if entry[1] else ' '} {harmless(_name(entry))}")


def _name(entry: Listed) -> str:
    movie = entry[0]
    return f"{NOT_LOADED} {movie.movie_id}" if movie.title is None else movie.title


def as_markdown(found: Compared) -> str:
    """All of it as Markdown; text from the data is shown as it is."""
    lines = ["# A and B", "", *(f"- {escaped(line)}" for line in heads(found))]
    for title, (columns, rows) in _tables(found):
        lines += ["", f"## {title}", "", _row(columns), _row(["---"] * len(columns))]
        lines += [_row([escaped(cell) for cell in row]) for row in rows]
    lines += ["", escaped(TEST), "", escaped(overlap_line(found))]
    for title, users in _who(found):
        lines += ["", f"## {escaped(title)}"]
        for one in users:
            lines += ["", escaped(_user_line(one, found.k)), "", _row(["A", "B"])]
            lines.append(_row(["---", "---"]))
            longest = max(len(one.list_a), len(one.list_b))
            for place in range(longest):
                lines.append(_row([_cell(one.list_a, place), _cell(one.list_b, place)]))
    return "\n".join(lines) + "\n"


def _cell(listed: Sequence[Listed], place: int) -> str:
    if place >= len(listed):
        return ""
    name = escaped(_name(listed[place]))
    return f"**{name}** {escaped(HIT)}" if listed[place][1] else name


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return MARKDOWN.sub(r"\\\1", harmless(text))
