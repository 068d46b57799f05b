"""Two runs beside each other: by hand-made numbers, and on real services."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import cli
from conftest import as_environment
from core.errors import RecArenaError
from core.settings import Settings
from core.statistics import paired_test
from database_queries import execute, rows
from datareader.catalogue import Movie
from pipelines.popularity.model import PopularityParams
from pipelines.popularity.pipeline_popularity import pipeline as popularity
from pipelines.SVD.model import SVDParams
from pipelines.SVD.pipeline_svd import pipeline as svd
from table_models import loader, synthetic
from table_models.datasets import find
from utils import comparison, comparison_output
from utils.comparison import Compared, MetricPair, UserPair, check_comparable, compare
from utils.finished_runs import FinishedRun, find_run
from utils.kept_runs import KeptRun, kept, lists_table
from utils.list_overlap import Overlap, overlap
from utils.run_files import per_user

HOSTILE = (
    "[bold red]x[/] \x1b[31m\x1b]0;owned\x07 <script>alert(1)</script> | `rm -rf` \u202e'; drop"
)
K = 5


def run(name: str = "SVD", run_id: str = "a", **protocol: str) -> KeptRun:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    found = FinishedRun(run_id * 32, name, "tiny", "tiny", begun, 4.0, None)
    logged = {"dataset": "tiny", "k": "5", "n_test": "5"} | protocol
    return KeptRun(found, {}, logged, {}, {"fingerprint": "1+1-a"})


def lists(users: dict[int, list[int]]) -> pa.Table:
    flat = [(user, j, movie) for user, one in users.items() for j, movie in enumerate(one, 1)]
    columns = zip(*flat, strict=True) if flat else ([], [], [])
    names = ("user_id", "rank", "movie_id")
    return pa.table({n: np.array(c, dtype=np.int64) for n, c in zip(names, columns, strict=True)})


def test_overlap_by_hand() -> None:
    a = lists({1: [10, 20, 30], 2: [10, 20], 3: [40], 5: [1, 2, 3]})
    b = lists({1: [30, 20, 50], 2: [10, 20], 4: [10], 5: [2, 1, 3]})
    found = overlap(a, b, 3)
    assert found.users == 5
    assert found.shared == pytest.approx(np.mean([2 / 3, 2 / 3, 0, 0, 1]))
    assert found.jaccard == pytest.approx(np.mean([2 / 4, 1, 0, 0, 1]))
    assert found.identical == 1 / 5
    assert overlap(lists({}), lists({}), 3) == Overlap(0, 0, 0, 0)


tables = st.dictionaries(
    st.integers(1, 6), st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True)
)


@given(tables, tables)
def test_overlap_is_what_sets_say(a: dict[int, list[int]], b: dict[int, list[int]]) -> None:
    users = sorted(a.keys() | b.keys())
    found = overlap(lists(a), lists(b), 4)
    assert found.users == len(users)
    if users:
        pairs = [(a.get(user, []), b.get(user, [])) for user in users]
        both = [(set(one), set(two)) for one, two in pairs]
        assert found.shared == pytest.approx(np.mean([len(o & t) / 4 for o, t in both]))
        assert found.jaccard == pytest.approx(np.mean([len(o & t) / len(o | t) for o, t in both]))
        assert found.identical == pytest.approx(np.mean([one == two for one, two in pairs]))


def test_runs_that_were_judged_otherwise_are_refused_by_the_field() -> None:
    check_comparable(run(), run("NMF", "b"))
    with pytest.raises(RecArenaError, match=r"compared: the protocol's k is 5 and 10$"):
        check_comparable(run(), run(k="10"))
    with pytest.raises(RecArenaError, match=r"the protocol's split is not known and random$"):
        check_comparable(run(), run(split="random"))
    other = run()
    other.tags["fingerprint"] = "1+1-b"
    with pytest.raises(RecArenaError, match=r"the fingerprint of the split is 1\+1-a and 1\+1-b$"):
        check_comparable(run(), other)
    bare = run()
    bare.tags.clear()
    with pytest.raises(RecArenaError, match="their split is not known"):
        check_comparable(bare, bare)


def test_those_who_change_most_come_first_and_ties_by_id() -> None:
    ids = np.array([9, 8, 7, 6, 5, 4, 3, 2])
    change = np.array([0.5, 0.1, 0.5, 0, -0.2, 0.7, 0.1, 0.1])
    chosen = comparison._most(change, ids)
    assert ids[chosen].tolist() == [4, 7, 9, 2, 3]
    chosen = comparison._most(-change, ids)
    assert ids[chosen].tolist() == [5]


def hand_made(title: str = HOSTILE) -> Compared:
    test = paired_test([0.5, 0.5], [0.1, 0.1])
    entry = [(Movie(1, title, 1999, ()), True), (Movie(2, None), False)]
    return Compared(
        a=run(),
        b=run("popularity", "b"),
        k=K,
        params={"factors": ("50", None)},
        surroundings={"python": ("3.11.2", "3.12.1")},
        metrics=[
            MetricPair("ndcg_at_k", 0.1, 0.5, test, 0.25),
            MetricPair("rmse", 0.9, None),
            MetricPair("n_users", 943.0, 944.0),
        ],
        overlap=Overlap(2, 0.25, 0.125, 0.5),
        gain=[UserPair(17, 0.1, 0.5, entry, entry[:1])],
        lose=[],
        notes=["hits are not marked: why"],
    )


@pytest.mark.parametrize("width", [48, 60, 80, 200])
def test_on_a_terminal_nothing_is_cut_and_hostile_titles_do_nothing(width: int) -> None:
    text = io.StringIO()
    console = Console(file=text, width=width, force_terminal=True, color_system=None)
    found = comparison_output.as_text(hand_made(), width=width, terminal=True)
    console.print(found)
    shown = text.getvalue()
    assert not set(shown) & set("\x1b\x07\u202e")
    assert max(map(len, shown.splitlines())) <= width
    squeezed = "".join(shown.split())
    assert width < 80 or "[bold red]x[/]" in shown
    for word in ("factors", "3.12.1", "NDCG@5", "+0.4000", "0.2500", "1.2of5", "50.0%"):
        assert word in squeezed, word
    if width >= 80:
        assert "(not in the database any more) 2" in " ".join(shown.split())


def test_markdown_shows_hostile_titles_as_text() -> None:
    page = comparison_output.as_markdown(hand_made())
    assert "<script>" not in page.replace("\\<script\\>", "")
    assert r"\[bold red\]x\[/\]" in page
    assert not set(page) & set("\x1b\x07\u202e")
    table = [line for line in page.splitlines() if "script" in line]
    assert all(line.replace(r"\|", "").count("|") == 3 for line in table)


def test_json_has_no_infinity() -> None:
    found = json.loads(json.dumps(comparison_output.record(hand_made()), allow_nan=False))
    assert found["metrics"][0]["test"]["effect"] is None  # all users change alike
    assert found["metrics"][0]["difference"] == pytest.approx(0.4)
    assert found["gain"][0]["list_a"][0] == {"movie_id": 1, "title": HOSTILE, "hit": True}


@pytest.fixture(scope="module")
def settings(own_services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The services, with a small data set and finished runs of SVD and popularity on it."""
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.generate(folder, users=150, movies=120, ratings=6000, seed=5)
    loader.load(own_services, find("synthetic"), folder)
    chosen = own_services.model_copy(update={"top_k": K})
    svd.start(SVDParams(factors=7), chosen)
    popularity.start(PopularityParams(), chosen)
    return own_services


@pytest.fixture
def command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str, str]]:
    """Runs `recarena compare` on the services."""
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)

    def call(*args: str) -> tuple[object, str, str]:
        monkeypatch.setattr("sys.argv", ["recarena", "compare", *args])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return call


def test_two_runs_on_real_services(settings: Settings) -> None:
    found = compare(settings, "svd", "popularity")
    a, b = (kept(settings, find_run(settings, name)[0]) for name in ("SVD", "popularity"))
    assert (found.a.run.id, found.b.run.id, found.k) == (a.run.id, b.run.id, K)
    assert found.notes == []
    assert found.params["factors"] == ("7", None)
    assert found.params["ranking"] == (None, "count")
    assert found.surroundings == {}  # both ran here

    by_name = {one.name: one for one in found.metrics}
    ndcg = by_name["ndcg_at_k"]
    values = per_user(settings, (a.run.id, b.run.id), "ndcg_at_k")
    assert ndcg.test == paired_test(values.values[:, 1], values.values[:, 0])
    assert ndcg.difference == pytest.approx(b.metrics["ndcg_at_k"] - a.metrics["ndcg_at_k"])
    assert ndcg.test.difference == pytest.approx(ndcg.difference, abs=1e-12)
    assert ndcg.p_holm is not None
    assert ndcg.p_holm >= ndcg.test.p
    assert by_name["coverage_at_k"].test is None
    assert by_name["rmse"].a is None  # SVD fills with zeros by default
    assert by_name["rmse"].b == b.metrics["rmse"]

    pairs = zip(values.user_ids.tolist(), *values.values.T.tolist(), strict=True)
    ranked = sorted((first - second, user) for user, first, second in pairs)
    gain = [(change, user) for change, user in ranked if change < 0][:5]
    assert [(one.a - one.b, one.user_id) for one in found.gain] == gain
    lose = sorted(((-change, user) for change, user in ranked if change > 0))[:5]
    assert [(one.b - one.a, one.user_id) for one in found.lose] == lose


def test_lists_titles_and_hits_are_those_of_the_database(settings: Settings) -> None:
    found = compare(settings, "svd", "popularity")
    titles = dict(rows(settings, "select movie_id, title from synthetic.movies"))
    for run_of, name in ((found.a, "list_a"), (found.b, "list_b")):
        table = lists_table(settings, run_of).to_pydict()
        for one in (*found.gain, *found.lose):
            newest = rows(
                settings,
                "select movie_id, rating from synthetic.ratings where user_id = %s "
                "order by timestamp desc, movie_id desc limit 5",
                one.user_id,
            )
            liked = {movie for movie, stars in newest if stars >= 4}
            listed = zip(table["user_id"], table["rank"], table["movie_id"], strict=True)
            wanted = [m for _, m in sorted((r, m) for u, r, m in listed if u == one.user_id)]
            shown = getattr(one, name)
            assert [movie.movie_id for movie, _ in shown] == wanted
            assert [movie.title for movie, _ in shown] == [titles[m] for m in wanted]
            assert [hit for _, hit in shown] == [m in liked for m in wanted]
        assert any(hit for one in (*found.gain, *found.lose) for _, hit in getattr(one, name))


def test_surroundings_that_differ_are_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = comparison.download

    def other(settings: Settings, run_id: str, path: str) -> Path:
        file = original(settings, run_id, path)
        if run_id != find_run(settings, "SVD")[0].id or path != "surroundings.json":
            return file
        found = json.loads(file.read_text())
        found["packages"]["numpy"] = "0.1"
        (tmp_path / path).write_text(json.dumps(found))
        return tmp_path / path

    monkeypatch.setattr(comparison, "download", other)
    found = compare(settings, "svd", "popularity")
    assert found.surroundings == {"packages.numpy": ("0.1", np.__version__)}


def test_a_run_by_id_and_a_name(settings: Settings) -> None:
    first = find_run(settings, "popularity")[0]
    found = compare(settings, "svd", first.id[:10])
    assert found.b.run == first
    with pytest.raises(
        RecArenaError, match=r"^popularity and \w{32} are the same, run .*two runs$"
    ):
        compare(settings, "popularity", first.id)


def test_the_command_in_every_format(
    settings: Settings, command: Callable[..., tuple[object, str, str]]
) -> None:
    status, text, said = command("SVD", "popularity")
    assert (status, said) == (0, "")
    lines = text.splitlines()
    assert lines[0].startswith("A: run ")
    assert "(SVD)" in lines[0]
    assert any(line.startswith(f"ndcg@{K} ") for line in lines)
    assert "Users who gain most by B (* marks a hit)" in lines
    found = json.loads(command("SVD", "popularity", "--format=json")[1])
    assert found["a"]["pipeline"] == "SVD"
    assert len(found["gain"]) == 5
    assert found["overlap"]["users"] == 150
    page = command("SVD", "popularity", "--format=md")[1]
    assert f"| ndcg@{K} |" in page


def test_another_protocol_is_one_line(
    settings: Settings, command: Callable[..., tuple[object, str, str]]
) -> None:
    other = settings.model_copy(update={"top_k": K + 1})
    popularity.start(PopularityParams(minimum_rating=3), other)
    status, text, said = command("SVD", "popularity")
    assert (status, text) == (1, "")
    assert said.rstrip().endswith("cannot be compared: the protocol's k is 5 and 6")
    popularity.start(PopularityParams(), settings.model_copy(update={"top_k": K}))


def test_hits_are_not_marked_when_the_ratings_are_others(
    settings: Settings, command: Callable[..., tuple[object, str, str]]
) -> None:
    """Last in this file, because it changes the data."""
    execute(settings, "update synthetic.ratings set rating = 0.5 where user_id = 1")
    movie = compare(settings, "svd", "popularity").gain[0].list_b[0][0].movie_id
    quoted = HOSTILE.replace("'", "''")
    execute(settings, f"update synthetic.movies set title = '{quoted}' where movie_id = {movie}")
    found = compare(settings, "svd", "popularity")
    assert found.gain[0].list_b[0][1] is None
    text = command("SVD", "popularity")[1]
    assert "hits are not marked: run " in text
    assert not set(text) & set("\x1b\x07\u202e")
    assert "[bold red]x[/]" in text
