"""Users, movies, ratings and tags of one data set.

Revision: 0001, the first
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables in the schema that comes first in the search path."""
    op.create_table("users", sa.Column("user_id", sa.Integer, autoincrement=False))
    op.create_primary_key("users_pkey", "users", ["user_id"])
    op.create_table(
        "movies",
        sa.Column("movie_id", sa.Integer, autoincrement=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("year", sa.SmallInteger),
        sa.Column("genres", postgresql.ARRAY(sa.Text), nullable=False),
    )
    op.create_primary_key("movies_pkey", "movies", ["movie_id"])
    op.create_table(
        "ratings",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("movie_id", sa.Integer, nullable=False),
        sa.Column("rating", sa.Numeric(4, 1), nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
    )
    op.create_primary_key("ratings_pkey", "ratings", ["user_id", "movie_id"])
    op.create_index(
        "ratings_newest_first_idx",
        "ratings",
        ["user_id", sa.text('"timestamp" desc'), sa.text("movie_id desc")],
        postgresql_include=["rating"],
    )
    op.create_table(
        "tags",
        sa.Column("tag_id", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("movie_id", sa.Integer, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
    )
    op.create_primary_key("tags_pkey", "tags", ["tag_id"])
    for table in ("ratings", "tags"):
        for column, other in (("user_id", "users"), ("movie_id", "movies")):
            op.create_foreign_key(f"{table}_{column}_fkey", table, other, [column], [column])


def downgrade() -> None:
    """Drop the tables and all that is in them."""
    for table in ("tags", "ratings", "movies", "users"):
        op.drop_table(table)
