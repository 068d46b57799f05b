"""The leaderboard as a table in a terminal, as Markdown, and as a page of its own."""

import html
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from utils.leaderboard import Board
from utils.leaderboard_output import apart, cells, heads, remarks, title

IN_BOTH = 2  # columns: place and recommender
NAME_WIDTH = 17  # of a recommender: the longest of ours
GAP = 2  # between columns, at the most
STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
div { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }
caption { font-weight: 600; padding: .5rem 0; text-align: left }
th, td { border-bottom: 1px solid #8886; padding: .35rem .6rem }
th, td { text-align: right; white-space: pre }
th { border-bottom-width: 2px }
.text { text-align: left }
""".strip()


def for_terminal(board: Board, console: Console, metrics: Sequence[str] = ()) -> Group:
    """The table, in parts where the terminal is too narrow, and what is to be said of it."""
    columns = [*heads(board, metrics), "run"]
    rows = cells(board, metrics)
    tables = [
        _table([columns[i] for i in part], [[row[i] for i in part] for row in rows])
        for part in _parts(columns, rows, console.width)
    ]
    tables[0].title = title(board)
    said = [Text(one) for one in remarks(board)]
    return Group(*tables, *said, *_apart_for_terminal(board))


def _parts(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """The columns of each table, so that none is wider; place and recommender are in all."""
    longest = [
        max(len(line) for cell in cells for line in cell.splitlines() or [""]) + GAP
        for cells in zip(columns, *rows, strict=True)
    ]
    both = list(range(IN_BOTH))
    # a longer name is folded
    used = start = longest[0] + NAME_WIDTH + GAP
    parts = [[*both]]
    for column in range(IN_BOTH, len(columns)):
        if used + longest[column] > width and len(parts[-1]) > IN_BOTH:
            parts.append([*both])
            used = start
        parts[-1].append(column)
        used += longest[column]
    return parts


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.pad_edge, table.padding = False, (0, 1, 0, 0)
    for column in columns:
        if column == "recommender":
            table.add_column(column, min_width=NAME_WIDTH, overflow="fold")
        else:
            table.add_column(Text(column), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _apart_for_terminal(board: Board) -> list[Text]:
    lines = apart(board)
    return [Text("Apart, because not comparable:"), *(Text(f"  {one}") for one in lines)] * bool(
        lines
    )


def as_markdown(board: Board, metrics: Sequence[str] = ()) -> str:
    """The leaderboard as Markdown."""
    columns = [*heads(board, metrics), "run"]
    rows = [columns, ["---"] * len(columns), *cells(board, metrics)]
    rows[1] = ["---:", ":---", *["---:"] * (len(columns) - IN_BOTH)]
    lines = ["| " + " | ".join(_plain(cell) for cell in row) + " |" for row in rows]
    said = [f"{_plain(one)}\n" for one in remarks(board)]
    others = [f"- {_plain(one)}" for one in apart(board)]
    head = ["Apart, because not comparable:\n"] if others else []
    return "\n".join([f"**{_plain(title(board))}**\n", *lines, "", *said, *head, *others]) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = html.escape(text.replace("\\", "\\\\"), quote=False)
    for special in "|*_`[]":
        escaped = escaped.replace(special, f"\\{special}")
    return escaped.replace("\n", "<br>")


def as_html(board: Board, metrics: Sequence[str] = ()) -> str:
    """The leaderboard as a page that needs nothing else."""
    columns = [*heads(board, metrics), "run"]
    head = _line("th", columns)
    body = "\n".join(_line("td", row) for row in cells(board, metrics))
    said = "\n".join(f"<p>{html.escape(one)}</p>" for one in remarks(board))
    lines = apart(board)
    others = "".join(f"<li>{html.escape(one)}</li>\n" for one in lines)
    listed = f"<h2>Apart, because not comparable</h2>\n<ul>\n{others}</ul>" if lines else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>RecArena leaderboard</title>
<style>
{STYLE}
</style>
</head>
<body>
<h1>RecArena leaderboard</h1>
<div>
<table>
<caption>{html.escape(title(board))}</caption>
<thead>{head}</thead>
<tbody>
{body}
</tbody>
</table>
</div>
{said}
{listed}
</body>
</html>
"""


def _line(element: str, row: Sequence[str]) -> str:
    """A line of the table; the recommenders' names are text, all else is numbers."""
    scope = ' scope="col"' if element == "th" else ""
    sides = ["", ' class="text"', *[""] * len(row)]
    made = (
        f"<{element}{scope}{side}>{html.escape(cell)}</{element}>"
        for side, cell in zip(sides, row, strict=False)
    )
    return f"<tr>{''.join(made)}</tr>"
