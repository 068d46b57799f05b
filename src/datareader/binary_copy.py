"""Rows of a query as numpy columns, by PostgreSQL's binary COPY."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with a lower-case name

HEADER_BYTES = 19
TRAILER = b"\xff\xff"
CHUNK_BYTES = 8 << 20


class BinaryRows:
    """A file that COPY BINARY is written to; turns its rows into columns, chunk by chunk.

    `columns` gives each column's name and numpy type, all of a fixed width. NULL is refused.
    """

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        self.columns = [(name, np.dtype(kind)) for name, kind in columns]
        fields: list[tuple[str, Any]] = [("n", ">i2")]
        for name, kind in self.columns:
            fields += [(f"{name}/size", ">i4"), (name, kind.newbyteorder(">"))]
        self.row = np.dtype(fields)
        self.chunks: dict[str, list[NDArray[Any]]] = {name: [] for name, _ in self.columns}
        self.pending: list[bytes] = []
        self.n_pending = -HEADER_BYTES

    def write(self, data: bytes) -> None:
        """Take a piece of the stream, usually one row."""
        self.pending.append(data)
        self.n_pending += len(data)
        if self.n_pending >= CHUNK_BYTES:
            self._convert()

    def _convert(self) -> bytes:
        """Turn the whole rows that are pending into columns; keep and return the rest."""
        data = b"".join(self.pending)
        start = len(data) - self.n_pending  # the header's length, the first time
        n = self.n_pending // self.row.itemsize
        rows = np.frombuffer(data, self.row, n, start)
        whole = bool((rows["n"] == len(self.columns)).all())
        for name, kind in self.columns:
            whole &= bool((rows[f"{name}/size"] == kind.itemsize).all())
            self.chunks[name].append(rows[name].astype(kind))
        if not whole:
            raise ValueError("a row of the query holds NULL or a column of another width")
        rest = data[start + n * self.row.itemsize :]
        self.pending, self.n_pending = [rest], len(rest)
        return rest

    def finish(self) -> dict[str, NDArray[Any]]:
        """The columns. Raises ValueError if the stream did not end as it should."""
        if self._convert() != TRAILER:
            raise ValueError("the database's answer ended too early")
        columns = {}
        for name, _ in self.columns:
            columns[name] = np.concatenate(self.chunks.pop(name))
        return columns


def read_columns(
    cursor: Cursor, query: str, params: Mapping[str, object], columns: Sequence[tuple[str, str]]
) -> dict[str, NDArray[Any]]:
    """The rows of a query with bound parameters, as one array a column."""
    rows = BinaryRows(columns)
    bound = cursor.mogrify(query.rstrip().rstrip(";"), params).decode()
    cursor.copy_expert(f"copy ({bound}) to stdout (format binary)", rows)
    return rows.finish()
