"""The synthetic data: exact sizes, MovieLens' format and shape, and who wins on it."""

import errno
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from core.errors import RecArenaError
from table_models import synthetic
from table_models.synthetic import FILES, GENRES, NOTICE, generate

SIZE = {"users": 2_000, "movies": 1_000, "ratings": 100_000}
SMALL = {"users": 300, "movies": 200, "ratings": 12_000}
ACCENTS, CJK, ARABIC = "[à-ÿ]", "[\u4e00-\u9fff]", "[\u0600-\u06ff]"


@dataclass(frozen=True)
class Synthetic:
    """A generated data set; users and movies as indices, rows newest last for each user."""

    user_ids: NDArray[np.int64]
    movie_ids: NDArray[np.int64]
    users: NDArray[np.int64]
    movies: NDArray[np.int64]
    stars: NDArray[np.float64]
    times: NDArray[np.int64]
    test: NDArray[np.bool_]  # the newest five ratings of a user
    titles: list[list[str]]  # id, title, genres
    tags: list[list[str]]  # user, movie, tag, time

    def table(self, rows: NDArray[np.bool_], values: Any) -> NDArray[np.float64]:
        """The values at the users and movies of the rows, else 0, (users, movies)."""
        dense = np.zeros((len(self.user_ids), len(self.movie_ids)))
        dense[self.users[rows], self.movies[rows]] = values
        return dense

    def genres(self) -> NDArray[np.bool_]:
        return np.array([[one in row[2].split("|") for one in GENRES] for row in self.titles])


def lines(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode()
    assert text.endswith("\n")
    assert "\r" not in text
    return [line.split("::") for line in text[:-1].split("\n")]


def read(folder: Path) -> Synthetic:
    table = np.array(lines(folder / "ratings.dat"), float)
    table = table[np.lexsort((table[:, 1], table[:, 3], table[:, 0]))]
    user_ids, users = np.unique(table[:, 0].astype(np.int64), return_inverse=True)
    movie_ids, movies = np.unique(table[:, 1].astype(np.int64), return_inverse=True)
    counts = np.bincount(users)
    test = np.arange(len(users)) >= np.repeat(np.cumsum(counts) - 5, counts)
    titles, tags = lines(folder / "movies.dat"), lines(folder / "tags.dat")
    times = table[:, 3].astype(np.int64)
    return Synthetic(user_ids, movie_ids, users, movies, table[:, 2], times, test, titles, tags)


def digest(folder: Path) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in FILES)).hexdigest()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    folder = tmp_path_factory.mktemp("synthetic") / "new" / "folder"
    generate(folder, **SIZE)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    return read(folder)


def test_sizes_are_exact(data: Synthetic) -> None:
    assert len(data.stars) == SIZE["ratings"]
    assert len(data.user_ids) == SIZE["users"]
    assert len(data.movie_ids) == len(data.titles) == SIZE["movies"]
    assert data.movie_ids.tolist() == [int(row[0]) for row in data.titles]
    assert np.bincount(data.users).min() == 20
    assert len(np.unique(data.users * SIZE["movies"] + data.movies)) == SIZE["ratings"]


@pytest.mark.parametrize(
    ("users", "movies", "ratings"),
    [(1, 20, 20), (1, 500, 500), (50, 20, 1_000), (3, 25, 74), (40, 60, 2_399), (7, 999, 999)],
)
def test_extreme_sizes(tmp_path: Path, users: int, movies: int, ratings: int) -> None:
    generate(tmp_path, users=users, movies=movies, ratings=ratings)
    data = read(tmp_path)
    assert (len(data.user_ids), len(data.movie_ids), len(data.stars)) == (users, movies, ratings)
    assert np.bincount(data.users).min() >= 20
    assert len(np.unique(data.users * movies + data.movies)) == ratings
    assert {row[2] for row in data.tags} >= {"null", "NA"}


def test_lines_look_like_those_of_ml_10m(tmp_path: Path) -> None:
    generate(tmp_path, **SMALL)
    text = (tmp_path / "ratings.dat").read_text()
    assert re.fullmatch(r"(\d+::\d+::(0\.5|[1-4](\.5)?|5)::\d{9,10}\n)+", text)
    rows = [[int(row[0]), int(row[1])] for row in lines(tmp_path / "ratings.dat")]
    assert rows == sorted(rows)


def test_stars_are_distributed_as_in_movielens(data: Synthetic) -> None:
    assert set(np.unique(data.stars * 2)) == set(range(1, 11))
    assert data.stars.mean() == pytest.approx(3.5, abs=0.1)
    assert data.stars.std() == pytest.approx(1.06, abs=0.05)
    halves = data.stars % 1 == 0.5
    assert halves.mean() == pytest.approx(0.2, abs=0.05)
    assert data.times[halves].min() >= synthetic.HALF_STARS_SINCE


def test_popularity_and_activity_have_long_tails(data: Synthetic) -> None:
    audience, activity = np.bincount(data.movies), np.bincount(data.users)
    assert audience.min() >= 1
    assert audience.max() > 20 * np.median(audience)
    assert activity.max() > 10 * np.median(activity)


def test_ids_have_gaps(data: Synthetic) -> None:
    assert data.user_ids.min() >= 1
    assert data.user_ids.max() > SIZE["users"]
    assert data.movie_ids.max() > 2 * SIZE["movies"]


def test_users_rate_in_bursts_and_after_the_release(data: Synthetic) -> None:
    years = np.array([int((re.search(r"\((\d{4})\)$", row[1]) or "00")[1]) for row in data.titles])
    rated = data.times.astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970
    assert rated.min() >= 1996
    assert rated.max() <= 2009
    assert (rated < years[data.movies]).mean() < 0.02
    same = (np.diff(data.times) == 0) & (np.diff(data.users) == 0)
    assert 0.3 < same.mean() < 0.6
    assert (np.diff(data.times)[np.diff(data.users) == 0] > synthetic.DAY).mean() > 0.01


def test_titles_are_different_and_not_all_plain(data: Synthetic) -> None:
    titles = [row[1] for row in data.titles]
    assert len({re.sub(r" \(\d{4}\)$", "", title) for title in titles}) == len(titles)
    for pattern in (ACCENTS, CJK, ARABIC, "[а-я]", ", The", '^"', r"\(.*\) \(\d{4}\)$", r"\D$"):
        assert any(re.search(pattern, title) for title in titles), pattern
    assert 1 <= sum(not re.search(r"\(\d{4}\)$", title) for title in titles) < 20
    assert all(len(row) == 3 for row in data.titles)


def test_genres_are_known_or_said_to_be_missing(data: Synthetic) -> None:
    listed = [row[2].split("|") for row in data.titles]
    assert {genre for row in listed for genre in row} == {*GENRES, "(no genres listed)"}
    assert 0 < listed.count(["(no genres listed)"]) < 30


def test_tags_belong_to_ratings_and_agree_with_genres(data: Synthetic) -> None:
    assert all(len(row) == 4 for row in data.tags)
    assert len({tuple(row[:3]) for row in data.tags}) == len(data.tags)
    users, movies = np.array([row[:2] for row in data.tags], np.int64).T
    pairs = data.user_ids[data.users] * 100_000 + data.movie_ids[data.movies]
    assert set((users * 100_000 + movies).tolist()) <= set(pairs.tolist())
    texts = [row[2] for row in data.tags]
    assert {"null", "NA", "déjà vu", '"must see"'} <= set(texts)
    genre_of = {tag: n for n, (_, tags) in enumerate(GENRES.values()) for tag in tags.split("|")}
    rows = np.array([n for n, text in enumerate(texts) if text in genre_of])
    genres = np.array([genre_of[texts[n]] for n in rows])
    tagged = data.genres()[np.searchsorted(data.movie_ids, movies[rows])]
    assert tagged[np.arange(len(rows)), genres].mean() > 1.5 * tagged[:, genres].mean()


def test_says_that_it_is_synthetic(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path, **SMALL, seed=7)
    notice = (tmp_path / NOTICE).read_text()
    assert notice.startswith("SYNTHETIC DATA: these ratings are not MovieLens")
    assert f"version {synthetic.VERSION}, with seed 7:\n300 users, 200 movies, 12000 rat" in notice
    assert capfd.readouterr().err.startswith("Synthetic ratings: 12,000 ratings")


def test_same_seed_same_files(tmp_path: Path) -> None:
    generate(tmp_path / "one", **SMALL, seed=3)
    with threadpool_limits(1):
        generate(tmp_path / "two", **SMALL, seed=3)
    generate(tmp_path / "other", **SMALL, seed=4)
    assert digest(tmp_path / "one") == digest(tmp_path / "two") != digest(tmp_path / "other")
    # New bytes of the same version would make recorded figures wrong: raise VERSION with them.
    assert (synthetic.VERSION, digest(tmp_path / "one")[:16]) == (1, "9f075a4b71d620a6")


@pytest.fixture(scope="module")
def recalls(data: Synthetic) -> dict[str, float]:
    """Recall@10 of five simple recommenders; relevant is a test rating of at least 4 stars."""
    train, liked = ~data.test, ~data.test & (data.stars >= 4)
    stars, likes = data.table(train, data.stars[train]), data.table(liked, 1)
    relevant = data.table(data.test & (data.stars >= 4), 1)
    judged = relevant.any(axis=1)
    factors = svds(stars, k=20, rng=np.random.default_rng(0))[2]
    contents = data.genres() / np.sqrt(data.genres().sum(axis=1, keepdims=True) + 1)
    scores = {
        "random": np.random.default_rng(0).random(stars.shape),
        "contents": likes @ contents @ contents.T,
        "popularity": np.broadcast_to(likes.sum(axis=0), stars.shape),
        "SVD": stars @ factors.T @ factors,
    }

    def recall(score: NDArray[np.float64]) -> float:
        best = np.argsort(-np.where(stars > 0, -np.inf, score), axis=1, kind="stable")[:, :10]
        hits = np.take_along_axis(relevant, best, axis=1).sum(axis=1)
        return float((hits[judged] / relevant[judged].sum(axis=1)).mean())

    return {name: recall(score) for name, score in scores.items()}


def test_better_recommenders_rank_better(recalls: dict[str, float]) -> None:
    assert recalls["random"] < 0.02
    assert recalls["contents"] > 2 * recalls["random"]
    assert recalls["popularity"] > 5 * recalls["random"]
    assert recalls["SVD"] > 1.3 * recalls["popularity"]


def test_better_predictors_predict_better(data: Synthetic) -> None:
    train, test = ~data.test, data.test
    users, movies = data.users, data.movies
    residual = data.stars - data.stars[train].mean()
    of_movie = means(movies[train], residual[train])
    centred = residual - of_movie[movies]
    of_user = means(users[train], centred[train])
    left, sizes, right = svds(data.table(train, centred[train]), k=20, rng=np.random.default_rng(0))
    filled = np.einsum("ij,ij->i", left[users[test]] * sizes, right.T[movies[test]])

    def rmse(errors: NDArray[np.float64]) -> float:
        return float(np.sqrt(np.mean(errors**2)))

    constant, mean_filled = rmse(residual[test]), rmse(centred[test] - filled)
    biases = rmse(centred[test] - of_user[users[test]])
    assert biases + 0.01 < mean_filled < constant - 0.05


def means(groups: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each group's values, damped as if there were five zeros more."""
    return np.bincount(groups, values, SIZE["users"]) / (np.bincount(groups, minlength=2_000) + 5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"users": 0}, "at least 1 user"),
        ({"movies": 19}, "20 movies"),
        ({"seed": -1}, "seed -1"),
        ({"ratings": 5_999}, "allow 6,000 to 60,000 ratings .*; got 5,999"),
        ({"ratings": 60_001}, "got 60,001"),
        ({"users": 1, "ratings": 199}, "allow 200 to 200 ratings"),
    ],
)
def test_impossible_sizes_are_refused(tmp_path: Path, change: dict[str, int], words: str) -> None:
    with pytest.raises(RecArenaError, match=words) as refused:
        generate(tmp_path / "new", **SMALL | change)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "new").exists()


def test_other_files_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::1::5::1\n")
    with pytest.raises(RecArenaError, match="holds other files than synthetic data"):
        generate(tmp_path, **SMALL)
    with pytest.raises(RecArenaError, match="is a file"):
        generate(tmp_path / "ratings.dat", **SMALL)
    with pytest.raises(RecArenaError, match=r"cannot write to .*Not a directory"):
        generate(tmp_path / "ratings.dat" / "below", **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["ratings.dat"]
    assert (tmp_path / "ratings.dat").read_text() == "1::1::5::1\n"


def test_synthetic_data_is_replaced_and_remains_of_a_kill_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat.part").write_text("1::1::5::")
    generate(tmp_path, **SMALL, seed=1)
    old = digest(tmp_path)
    generate(tmp_path, **SMALL, seed=2)
    assert digest(tmp_path) != old
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


@pytest.mark.parametrize(
    ("problem", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.ENOSPC, "No space left on device"), RecArenaError),
    ],
)
def test_an_interruption_leaves_everything_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: BaseException,
    raised: type[BaseException],
) -> None:
    generate(tmp_path / "old", **SMALL)
    old = digest(tmp_path / "old")

    def interrupted(*_: object) -> Iterator[bytes]:
        yield b"1::1::"
        raise problem

    monkeypatch.setattr(synthetic, "_tag_lines", interrupted)
    for name in ("old", "new"):
        with pytest.raises(raised):
            generate(tmp_path / name, **SMALL, seed=5)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert digest(tmp_path / "old") == old
    assert len(list((tmp_path / "old").iterdir())) == len(FILES)


def test_an_interruption_of_the_renaming_leaves_no_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path, **SMALL)
    replace = Path.replace

    def interrupted(part: Path, target: Path) -> Path:
        if target.name == "tags.dat":
            raise KeyboardInterrupt
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, **SMALL, seed=5)
    assert not (tmp_path / "ratings.dat").exists()
    monkeypatch.undo()
    generate(tmp_path, **SMALL)
