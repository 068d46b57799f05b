"""The data sets that can be loaded: a short declaration each."""

import difflib
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from core.errors import RecArenaError

DOWNLOADS = "https://files.grouplens.org/datasets/movielens"
Layout = Literal["u", "dat", "csv"]
FILES = {
    "u": {"movies": "u.item", "ratings": "u.data"},
    "dat": {"movies": "movies.dat", "ratings": "ratings.dat", "tags": "tags.dat"},
    "csv": {"movies": "movies.csv", "ratings": "ratings.csv", "tags": "tags.csv"},
}


@dataclass(frozen=True)
class Scale:
    """Which ratings there are: lowest, lowest + step, ... highest."""

    lowest: Decimal
    highest: Decimal
    step: Decimal


WHOLE_STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
HALF_STARS = Scale(Decimal("0.5"), Decimal(5), Decimal("0.5"))


@dataclass(frozen=True)
class DataSet:
    """One data set: how its files are written, and where they are to be had."""

    name: str
    layout: Layout
    scale: Scale = HALF_STARS
    encoding: str = "utf-8"
    tags: bool = True
    md5: str | None = None
    folder: str | None = None
    """The folder in the archive, if it is not the name."""
    public: bool = True

    @property
    def schema(self) -> str:
        """The schema that holds its tables."""
        return self.name.replace("-", "_")

    @property
    def files(self) -> dict[str, str]:
        """Its files by table."""
        names = FILES[self.layout].items()
        return {table: file for table, file in names if self.tags or table != "tags"}

    @property
    def url(self) -> str | None:
        """Where the archive is to be had, if anywhere."""
        return f"{DOWNLOADS}/{self.name}.zip" if self.public else None


_ALL = (
    DataSet(
        "ml-100k", "u", WHOLE_STARS, "latin-1", tags=False, md5="0e33842e24a9c977be4e0107933c0723"
    ),
    DataSet(
        "ml-1m", "dat", WHOLE_STARS, "latin-1", tags=False, md5="c4d9eecfca2ab87c1945afe126590906"
    ),
    DataSet("ml-10m", "dat", md5="ce571fd55effeba0271552578f2648bd", folder="ml-10M100K"),
    DataSet("ml-20m", "csv", md5="cd245b17a1ae2cc31bb14903e1204af3"),
    DataSet("ml-25m", "csv", md5="6b51fb2759a8657d3bfcbfc42b592ada"),
    DataSet("ml-32m", "csv"),
    DataSet("ml-latest-small", "csv"),
    DataSet("ml-latest", "csv"),
    DataSet("synthetic", "dat", public=False),
)
DATASETS = {one.name: one for one in _ALL}


def find(name: str) -> DataSet:
    """The data set of a name, `ml-10m` or `ml_10m`. Raises RecArenaError listing the known ones."""
    wanted = name.strip().lower().replace("_", "-")
    if wanted in DATASETS:
        return DATASETS[wanted]
    close = difflib.get_close_matches(wanted, DATASETS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise RecArenaError(f"no data set {name!r}: there are {', '.join(DATASETS)}{hint}")
