"""What is to be measured: sizes, repeats, limits, and where the files of it lie."""

from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
WORK = BENCH / ".work"
SERVICES = WORK / "services"


@dataclass(frozen=True)
class Shape:
    """The size of a synthetic data set."""

    users: int
    items: int
    ratings: int

    @property
    def name(self) -> str:
        """A name that tells it from every other size; of the folder with its files, too."""
        return f"{self.users}x{self.items}x{self.ratings}"

    def __str__(self) -> str:
        return f"{self.users:,} users, {self.items:,} movies, {self.ratings:,} ratings"


ML_10M = Shape(69_878, 10_677, 10_000_054)
SIZES = (
    Shape(943, 1_682, 100_000),
    Shape(6_040, 3_706, 1_000_209),
    ML_10M,
    Shape(210_000, 32_000, 30_000_000),
)
"""The sizes of ml-100k, ml-1m and ml-10m; the last has the users of ml-32m."""


@dataclass(frozen=True)
class Plan:
    """How to measure: the repeats, the share of the full size, and each process's time."""

    repeats: int = 3
    scale: float = 1.0
    limit: float = 1200.0
    """Seconds that one process may take."""
    pipelines: tuple[str, ...] = ()
    """The only pipelines to measure; all unless given."""

    @property
    def work(self) -> Path:
        """Data, results and logs of this scale; those of the full size are never overwritten."""
        return WORK if self.scale == 1 else WORK / f"scale-{self.scale:g}"

    def shape(self, full: Shape) -> Shape:
        """A size at this scale: users and ratings in proportion, movies by the square root."""
        if self.scale == 1:
            return full
        users, ratings = round(full.users * self.scale), round(full.ratings * self.scale)
        return Shape(users, round(full.items * self.scale**0.5), ratings)
