import struct

import pytest

from datareader.binary_copy import BinaryRows

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COLUMNS = (("a", "i4"), ("b", "?"))


def row(a: int, b: bool) -> bytes:
    return struct.pack(">hiii?", 2, 4, a, 1, b)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("chunk", [1, 40])
def test_rows_arrive_however_the_stream_is_cut(
    size: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datareader.binary_copy.CHUNK_BYTES", chunk)
    stream = HEADER + row(1, False) + row(-2, True) + row(2**31 - 1, True) + b"\xff\xff"
    rows = BinaryRows(COLUMNS)
    for start in range(0, len(stream), size):
        rows.write(stream[start : start + size])
    found = rows.finish()
    assert found["a"].tolist() == [1, -2, 2**31 - 1]
    assert found["b"].tolist() == [False, True, True]


def test_no_rows() -> None:
    rows = BinaryRows(COLUMNS)
    rows.write(HEADER + b"\xff\xff")
    assert len(rows.finish()["a"]) == 0


def test_null_is_refused() -> None:
    rows = BinaryRows(COLUMNS)
    rows.write(HEADER + struct.pack(">hiii", 2, 4, 1, -1) + row(1, True) + b"\xff\xff")
    with pytest.raises(ValueError, match="NULL"):
        rows.finish()


def test_a_stream_that_ends_early_is_refused() -> None:
    rows = BinaryRows(COLUMNS)
    rows.write(HEADER + row(1, True))
    with pytest.raises(ValueError, match="too early"):
        rows.finish()
