"""Synthetic ratings in the files and the shape of MovieLens 10M, for work without MovieLens.

Movies have places in a space of tastes, given by their genres, and users have directions in it.
A user rates movies that are popular, already released and to the user's taste (Gumbel top-k, that
is: sampling without replacement), the popular ones first; stars add biases, taste and noise.
What is summed and then compared is rounded to a binary grid before, so that the files do not
depend on the processor or the number of threads.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from core.errors import RecArenaError
from core.progress import progress

VERSION = 1  # of the generator; raise it with every change of what it writes
NOTICE = "SYNTHETIC.txt"
"""The file that marks a folder's data set as synthetic."""
FILES = (NOTICE, "movies.dat", "tags.dat", "ratings.dat")
PART = ".part"  # ends the names of unfinished files

MIN_RATINGS = 20  # of a user
BLOCK_CELLS = 3_000_000  # pairs of a user and a movie that are weighed at a time
DAY = 86_400  # seconds
START, END = 820_454_400, 1_231_113_600  # of all ratings: 1996-01-01, 2009-01-05
YEARS = np.arange(1996, 2010)
HALF_STARS_SINCE = 1_045_008_000  # 2003-02-12, as in MovieLens; whole stars before

# Chosen so that distributions and the order of simple recommenders are about those of MovieLens.
FACTORS = 16  # dimensions of the space of tastes
HEAD, KNEE, TAIL = 1.2, 0.004, 3.5  # popularity: a power of the rank, then exponential
LATE = 0.45  # weight of log popularity in the order in which a user rates
TASTE = 0.38  # spread of a user's taste, in log odds a factor
MEAN, USER_SPREAD, MOVIE_SPREAD, FAME, LIKING, NOISE = 3.35, 0.38, 0.4, 0.08, 0.6, 0.75  # stars

GENRES = {  # frequency, and the tags that go with it
    "Action": (15, "explosions|car chase|martial arts|superhero"),
    "Adventure": (10, "treasure hunt|journey|pirates|swashbuckler"),
    "Animation": (3, "stop motion|hand-drawn|anime|talking animals"),
    "Children": (5, "family|fairy tale|toys|coming home"),
    "Comedy": (37, "hilarious|satire|slapstick|so bad it's good"),
    "Crime": (11, "heist|mafia|gangsters|prison"),
    "Documentary": (5, "interviews|archive footage|nature|politics"),
    "Drama": (53, "tear-jerker|family secrets|Oscar, deserved|coming of age"),
    "Fantasy": (5, "magic|dragons|sword & sorcery|mythology"),
    "Film-Noir": (2, "femme fatale|black and white|private eye|double-cross"),
    "Horror": (10, "zombies|slasher|haunted house|vampires"),
    "Musical": (4, "dance|Broadway|sing-along|opera"),
    "Mystery": (5, "twist ending|whodunit|detective|locked room"),
    "Romance": (17, "love triangle|wedding|Paris|star-crossed"),
    "Sci-Fi": (8, "space|time travel|robots|dystopia"),
    "Thriller": (17, "suspense|conspiracy|kidnapping|cat and mouse"),
    "War": (5, "World War II|Vietnam|submarine|anti-war"),
    "Western": (3, "gunfight|cowboys|outlaws|frontier"),
}
ODD_TAGS = ("null", "NA", "déjà vu", "名作", '"must see"', "seen at the cinema", "DVD", "classic")
TOPICAL_TAGS = tuple("|".join(tags for _, tags in GENRES.values()).split("|"))

FIRST_WORDS = [
    "Silent",
    "Broken",
    "Golden",
    "Last",
    "Hidden",
    "Burning",
    "Crimson",
    "Distant",
    "Electric",
    "Frozen",
    "Gentle",
    "Hollow",
    "Iron",
    "Lonely",
    "Midnight",
    "Paper",
    "Quiet",
    "Restless",
    "Scarlet",
    "Secret",
    "Stolen",
    "Velvet",
    "Wandering",
    "Winter",
    "Wild",
]
LAST_WORDS = [
    "River",
    "Garden",
    "Harbor",
    "Mountain",
    "Stranger",
    "Letter",
    "Mirror",
    "Promise",
    "Shadow",
    "Station",
    "Summer",
    "Thief",
    "Tower",
    "Valley",
    "Witness",
    "Wolf",
    "Orchard",
    "Dancer",
    "Island",
    "Machine",
    "Empire",
    "Highway",
    "Lantern",
    "Kingdom",
    "Sparrow",
    "Telegram",
    "Violin",
    "Carnival",
    "Horizon",
    "Soldier",
    "Paradise",
    "Bridge",
    "Circus",
    "Cathedral",
]
FOREIGN = [  # beginnings and ends of titles
    "Le garçon,La forêt,L'été,La fenêtre| à Besançon, à jamais, sans fin, du café",
    "Der Mörder,Die Brücke,Das Mädchen,Fünf Grüße| über München, im Nebel, für Käthe, aus Köln",
    "El niño,La montaña,El corazón,Mañana| del año, en España, sin dueño, más allá",
    "Žluťoučký kůň,Łódź,Ősz,Kærlighed| ve tmě, nocą, és tél, på øen",
    "Снег,Поезд,Дом,Письмо| и море, без конца, на рассвете, из Твери",
    "七人の,東京の,雪の,遠い|物語,夜,海,約束",
    "قصة,ليل,بحر,رسالة| المدينة, الصيف, الغريب, القمر",
]
STAR_LABELS = np.array([f"{half / 2:g}::" for half in range(11)], np.bytes_)
HIGH_DIGITS = np.arange(END // 10_000 + 1).astype(np.bytes_)  # of a time
LOW_DIGITS = np.array([f"{number:04}\n" for number in range(10_000)], np.bytes_)
QUANTILES = (np.arange(65_536) + 0.5) / 65_536
GUMBEL = (np.rint(-np.log(-np.log(QUANTILES)) * 4096) / 4096).astype(np.float32)


@dataclass(frozen=True)
class _Movies:
    """The catalogue: one row a movie."""

    labels: NDArray[np.bytes_]  # id and separator, `7::`
    years: NDArray[np.int64]
    genres: NDArray[np.bool_]  # (movies, genres)
    taste: NDArray[np.float32]  # (movies, FACTORS)
    appeal: NDArray[np.float32]  # (movies, 1 + YEARS): log popularity; penalty before release
    bias: NDArray[np.float32]  # stars
    tag_odds: NDArray[np.float64]  # (movies, tags), cumulative


@dataclass(frozen=True)
class _Users:
    """The audience: one row a user, and in the last two arrays what is not left to chance."""

    labels: NDArray[np.bytes_]  # id and separator, `7::`
    first: NDArray[np.int64]  # position of the user's first rating; at the end their number
    taste: NDArray[np.float32]  # (users, FACTORS)
    fashion: NDArray[np.float32]  # weight of popularity
    bias: NDArray[np.float32]  # stars
    forced: NDArray[np.int64]  # (movies) a user who rates the movie in any case
    tagged: NDArray[np.int64]  # sorted positions of the ratings that have a tag


@dataclass(frozen=True)
class _Ratings:
    """The ratings of some users, ordered by user and movie."""

    users: NDArray[np.int64]  # indices
    movies: NDArray[np.int64]  # indices
    stars: NDArray[np.int64]  # half stars, 1 to 10
    times: NDArray[np.int64]  # seconds


def generate(
    folder: Path,
    *,
    users: int = 69_878,
    movies: int = 10_677,
    ratings: int = 10_000_054,
    seed: int = 0,
) -> None:
    """Write synthetic ratings, movies and tags in ml-10m's format, and a notice that says so.

    Exactly `users` users with at least 20 ratings each, `movies` movies with at least one, and
    `ratings` ratings; the defaults are the size of MovieLens 10M. The same arguments give the same
    files. An earlier synthetic data set in the folder is replaced.

    Raises:
        RecArenaError: the sizes do not go together, the folder holds something else, or it
            cannot be written.
    """
    _check_sizes(users, movies, ratings, seed)
    with _new_files(folder) as (notice_file, movie_file, tag_file, rating_file):
        notice_file.write(_notice(users, movies, ratings, seed).encode())
        catalogue = _make_movies(default_rng((seed, 0)), movies)
        audience = _make_users(default_rng((seed, 1)), users, movies, ratings)
        movie_file.writelines(_movie_lines(default_rng((seed, 2)), catalogue))
        with progress("Synthetic ratings", ratings, "ratings") as advance:
            step = max(1, BLOCK_CELLS // movies)
            for start in range(0, users, step):
                rng = default_rng((seed, 3, start))
                rated = _rate(rng, catalogue, audience, start, min(start + step, users))
                rating_file.write(_rating_lines(rated, catalogue, audience))
                tag_file.writelines(_tag_lines(rng, rated, catalogue, audience))
                advance(len(rated.users))


def _check_sizes(users: int, movies: int, ratings: int, seed: int) -> None:
    if users < 1 or movies < MIN_RATINGS or seed < 0:
        raise RecArenaError(
            f"synthetic data needs at least 1 user, {MIN_RATINGS} movies and a seed of at least 0;"
            f" got {users:,} users, {movies:,} movies, seed {seed}"
        )
    least, most = max(users * MIN_RATINGS, movies), users * movies
    if not least <= ratings <= most:
        raise RecArenaError(
            f"{users:,} users and {movies:,} movies allow {least:,} to {most:,} ratings"
            f" ({MIN_RATINGS} a user, 1 a movie, no pair twice); got {ratings:,}"
        )


@contextmanager
def _new_files(folder: Path) -> Iterator[list[BinaryIO]]:
    """FILES open for writing; they get their names when all are complete, or never."""
    parts = [folder / (name + PART) for name in FILES]
    try:
        _check_folder(folder, parts)
        with ExitStack() as stack:
            stack.callback(_clear, parts, None if folder.exists() else folder)
            folder.mkdir(parents=True, exist_ok=True)
            files = [stack.enter_context(part.open("wb")) for part in parts]
            yield list(files)
            for file in files:
                file.close()
            (folder / FILES[-1]).unlink(missing_ok=True)  # back last: never half old, half new
            for part, name in zip(parts, FILES, strict=True):
                part.replace(folder / name)
    except OSError as error:
        raise RecArenaError(f"cannot write to {folder}: {error.strerror}") from error


def _check_folder(folder: Path, own: list[Path]) -> None:
    if folder.exists() and not folder.is_dir():
        raise RecArenaError(f"{folder} is a file; synthetic data needs a folder")
    others = set(folder.iterdir()) - set(own) if folder.exists() else set()
    if others and folder / NOTICE not in others:
        raise RecArenaError(f"{folder} holds other files than synthetic data; name a new folder")


def _clear(parts: list[Path], folder: Path | None) -> None:
    """Remove what an interruption left: unfinished files, and the folder if it is empty."""
    with suppress(OSError):
        for part in parts:
            part.unlink(missing_ok=True)
        if folder is not None:
            folder.rmdir()


def _grid(values: NDArray[Any]) -> NDArray[np.float32]:
    """The values to the nearest 64th: sums of products of them are exact in any order."""
    return (np.rint(values * 64) / 64).astype(np.float32)


def _labels(ids: NDArray[np.int64]) -> NDArray[np.bytes_]:
    return np.char.add(ids.astype(np.bytes_), b"::")


def _make_movies(rng: Generator, movies: int) -> _Movies:
    frequency = np.array([weight for weight, _ in GENRES.values()])
    race = frequency / rng.exponential(size=(movies, len(GENRES)))
    last = -1 - rng.choice(3, (movies, 1), p=(0.4, 0.35, 0.25))  # one, two or three genres win
    genres = race >= np.take_along_axis(np.sort(race), last, axis=1)
    centres = rng.normal(size=(len(GENRES), FACTORS))
    mixture = genres @ centres / np.sqrt(genres.sum(axis=1, keepdims=True))
    taste = _grid(0.6 * (mixture + rng.normal(size=mixture.shape)))
    topics = np.repeat(centres, len(TOPICAL_TAGS) // len(GENRES), axis=0)
    topics += rng.normal(0, 0.7, topics.shape)
    odds = np.exp(np.pad(taste @ topics.T / 4, ((0, 0), (len(ODD_TAGS), 0))))
    rank = rng.permutation(movies) / movies
    popularity = -HEAD * np.log(rank + KNEE) - TAIL * rank
    years = 2008 - np.minimum(rng.exponential(18, movies), 93).astype(np.int64)
    dense = np.arange(movies) * 3 < movies  # few gaps between the lower ids, many above
    gaps = np.where(dense, rng.random(movies) < 0.05, rng.geometric(0.12, movies))
    return _Movies(
        labels=_labels(np.cumsum(1 + gaps)),
        years=years,
        genres=genres,
        taste=taste,
        appeal=_grid(np.column_stack([popularity, -7 * (years[:, None] > YEARS)])),
        bias=_grid(FAME * popularity + rng.normal(0, MOVIE_SPREAD, movies)),
        tag_odds=np.cumsum(odds, axis=1) / odds.sum(axis=1, keepdims=True),
    )


def _make_users(rng: Generator, users: int, movies: int, ratings: int) -> _Users:
    first = np.append(0, np.cumsum(_counts(rng, users, movies, ratings)))
    forced = np.searchsorted(first, rng.choice(ratings, movies, replace=False), side="right") - 1
    taggers = rng.choice(rng.choice(users, users // 16 + 1), ratings // 105 + 5)
    decided = rng.gamma(4, 0.25, (users, 1))  # some have strong tastes
    return _Users(
        labels=_labels(1 + np.sort(rng.choice(users + users // 41 + 1, users, replace=False))),
        first=first,
        taste=_grid(TASTE * decided * rng.normal(size=(users, FACTORS))),
        fashion=_grid(np.clip(rng.normal(1, 0.15, users), 0.4, 1.6)),
        bias=_grid(rng.normal(0, USER_SPREAD, users)),
        forced=forced,
        tagged=np.sort(rng.integers(first[taggers], first[taggers + 1])),
    )


def _counts(rng: Generator, users: int, movies: int, ratings: int) -> NDArray[np.int64]:
    """Ratings of each user: MIN_RATINGS and a log-normal number, `ratings` in all."""
    spare = ratings - users * MIN_RATINGS
    room = (movies if 3 * ratings > users * movies else int(0.7 * movies)) - MIN_RATINGS
    weights = rng.lognormal(0, 1.35, users)
    low, high = 0.0, ratings / float(weights.min())
    for _ in range(100):  # bisection
        middle = (low + high) / 2
        fits = np.minimum(middle * weights, room).astype(np.int64).sum() <= spare
        low, high = (middle, high) if fits else (low, middle)
    extra = np.minimum(low * weights, room).astype(np.int64)
    extra[np.flatnonzero(extra < room)[: spare - extra.sum()]] += 1
    return extra + MIN_RATINGS


def _rate(rng: Generator, movies: _Movies, users: _Users, start: int, stop: int) -> _Ratings:
    """All ratings of the users from `start` to `stop`."""
    first = users.first[start : stop + 1] - users.first[start]
    times = _times(rng, first)
    keys = _wishes(rng, movies, users, start, times[first[:-1]])
    rows, columns = _largest(keys, np.diff(first))
    delay = rng.gumbel(size=len(rows)) - LATE * movies.appeal[columns, 0]
    when = np.empty_like(times)
    when[np.lexsort((delay, rows))] = times
    who = start + rows
    liking = np.einsum("ij,ij->i", users.taste[who], movies.taste[columns])
    liking -= (np.bincount(rows, liking) / np.diff(first))[rows]  # than what the user usually sees
    opinion = MEAN + users.bias[who] + movies.bias[columns] + LIKING * liking
    opinion += NOISE * _grid(rng.normal(size=len(rows)))
    whole, half = np.clip(np.rint(opinion), 1, 5) * 2, np.clip(np.rint(opinion * 2), 1, 10)
    stars = np.where(when < HALF_STARS_SINCE, whole, half).astype(np.int64)
    return _Ratings(who, columns, stars, when)


def _times(rng: Generator, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Seconds of the ratings, rising for each user: bursts with equal seconds, long pauses."""
    kind = rng.random(first[-1])
    gaps = np.where(kind < 0.45, 0, rng.geometric(0.08, len(kind)))
    gaps = np.where(kind > 0.98, rng.exponential(20 * DAY, len(kind)).astype(np.int64), gaps)
    counts, past = np.diff(first), np.cumsum(gaps)
    past = np.minimum(past - np.repeat(past[first[:-1]], counts), END - START)
    begin = START + rng.random(len(counts)) * (END - START - past[first[1:] - 1])
    return past + np.repeat(begin.astype(np.int64), counts)


def _wishes(
    rng: Generator, movies: _Movies, users: _Users, start: int, since: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How much users rate each movie, with chance, (users, movies); `since`: first seconds."""
    stop = start + len(since)
    year = 1970 + since.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64)
    begun = (year[:, None] == YEARS).astype(np.float32)
    wants = np.column_stack([users.taste[start:stop], users.fashion[start:stop], begun])
    keys = wants @ np.hstack([movies.taste, movies.appeal]).T
    keys += GUMBEL[rng.integers(0, len(GUMBEL), keys.shape, np.uint16)]
    forced = np.flatnonzero((users.forced >= start) & (users.forced < stop))
    keys[users.forced[forced] - start, forced] = np.inf
    return keys


def _largest(
    keys: NDArray[np.float32], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the `counts` largest keys of each row; of equal ones the last."""
    most = int(counts.max())
    best = np.sort(np.partition(keys, -most, axis=1)[:, -most:], axis=1)
    least = best[np.arange(len(counts)), most - counts]
    rows, columns = np.divmod(np.flatnonzero(keys >= least[:, None]), keys.shape[1])
    surplus = np.bincount(rows) - counts
    ties = np.flatnonzero(keys[rows, columns] == least[rows])
    place = np.arange(len(ties)) - np.searchsorted(rows[ties], rows[ties])
    drop = ties[place < surplus[rows[ties]]]
    return np.delete(rows, drop), np.delete(columns, drop)


def _rating_lines(rated: _Ratings, movies: _Movies, users: _Users) -> bytes:
    """Lines `user::movie::stars::seconds`: columns of fixed width without their padding."""
    columns = [
        users.labels[rated.users],
        movies.labels[rated.movies],
        STAR_LABELS[rated.stars],
        HIGH_DIGITS[rated.times // 10_000],
        LOW_DIGITS[rated.times % 10_000],
    ]
    table = np.rec.fromarrays(columns).view(np.uint8)
    return table[table != 0].tobytes()


def _tag_lines(rng: Generator, rated: _Ratings, movies: _Movies, users: _Users) -> Iterator[bytes]:
    """Lines `user::movie::tag::seconds`, by user and movie; none twice."""
    names = ODD_TAGS + TOPICAL_TAGS
    first, end = users.first[rated.users[0]], users.first[rated.users[-1] + 1]
    places = np.arange(*np.searchsorted(users.tagged, [first, end]))
    rows = users.tagged[places] - first
    tags = (movies.tag_odds[rated.movies[rows]] < rng.random((len(rows), 1))).sum(axis=1)
    tags = np.where(places % 250 < 2, places % 250, tags)  # "null" and "NA" in any case
    for row, tag in np.unique(np.column_stack([rows, tags]), axis=0).tolist():
        label = users.labels[rated.users[row]] + movies.labels[rated.movies[row]]
        yield label + f"{names[tag]}::{rated.times[row] + 60}\n".encode()


def _movie_lines(rng: Generator, movies: _Movies) -> Iterator[bytes]:
    """Lines `movie::title (year)::genre|genre`; some without year or genres."""
    names = np.array(list(GENRES))
    for index, title in enumerate(_titles(rng, len(movies.labels))):
        year = "" if index % 97 == 5 else f" ({movies.years[index]})"
        listed = "|".join(names[movies.genres[index]])
        genres = "(no genres listed)" if index % 53 == 7 else listed
        yield movies.labels[index] + f"{title}{year}::{genres}\n".encode()


def _titles(rng: Generator, count: int) -> Iterator[str]:
    """Titles without year, all different: English, and some in other languages and scripts."""
    seen: Counter[str] = Counter()
    sizes = (len(FIRST_WORDS), len(LAST_WORDS), len(LAST_WORDS), len(FOREIGN), 4, 4)
    picks = rng.integers(sizes, size=(count, len(sizes))).tolist()
    for index, (first, last, other, script, begin, end) in enumerate(picks):
        title = f"{FIRST_WORDS[first]} {LAST_WORDS[last]}"
        title += f" of the {LAST_WORDS[other]}" if index % 2 else ""
        seen[title] += 1
        title += f" {seen[title]}" if seen[title] > 1 else ""
        title += ", The" if index % 4 == 0 else ""
        if index % 19 == 3:
            begins, ends = FOREIGN[script].split("|")
            title = f"{begins.split(',')[begin]}{ends.split(',')[end]} ({title})"
        yield f'"{title}"' if index % 31 == 4 else title


def _notice(users: int, movies: int, ratings: int, seed: int) -> str:
    return f"""SYNTHETIC DATA: these ratings are not MovieLens, and no person gave them.

They were made by RecArena's generator of synthetic data, version {VERSION}, with seed {seed}:
{users} users, {movies} movies, {ratings} ratings.

The files have the format of MovieLens 10M. Use them to try the programs and to measure time
and memory; which recommender is best here says nothing about real people.
"""
