"""The tables of one data set; each data set has a schema of its own with these four."""

from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Names every constraint, so that migrations and loader mean the same one."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        }
    )


class User(Base):
    """A user who rated or tagged a movie."""

    __tablename__ = "users"

    user_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class Movie(Base):
    """A movie of the catalogue. `title` is as in the file, `year` NULL if the title names none."""

    __tablename__ = "movies"

    movie_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(Text)
    year: Mapped[int | None] = mapped_column(SmallInteger)
    genres: Mapped[list[str]] = mapped_column(ARRAY(Text))


class Rating(Base):
    """A rating in stars, or 0 to 100 with a decimal; `timestamp` in seconds since 1970 (UTC)."""

    __tablename__ = "ratings"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.user_id"), primary_key=True)
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.movie_id"), primary_key=True)
    rating: Mapped[Decimal] = mapped_column(Numeric(4, 1))
    timestamp: Mapped[int] = mapped_column(BigInteger)


class Tag(Base):
    """A user's word for a movie; the same one may be given twice."""

    __tablename__ = "tags"

    tag_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.user_id"))
    movie_id: Mapped[int] = mapped_column(ForeignKey("movies.movie_id"))
    tag: Mapped[str] = mapped_column(Text)
    timestamp: Mapped[int] = mapped_column(BigInteger)


# The split's own order, with all that it reads: docs/decisions/0003-split-index.md
Index(
    "ratings_newest_first_idx",
    Rating.user_id,
    Rating.timestamp.desc(),
    Rating.movie_id.desc(),
    postgresql_include=["rating"],
)
