"""The scripts and the data that the benchmarks give to RecArena and its peers."""

import re
from pathlib import Path

import numpy as np
import pytest

from harness.comparisons import COMPARISONS
from harness.data import load, save
from harness.plan import BENCH
from ours import tiny

LIBRARIES = sorted({peer.library for one in COMPARISONS.values() for peer in one.peers})


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_peer_has_a_script_and_pins(library: str) -> None:
    assert (BENCH / "peers" / f"with_{library}.py").is_file()
    pins = (BENCH / "peers" / f"{library}.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", pin) for pin in pins)


def test_a_data_set_survives_its_file(tmp_path: Path) -> None:
    before = tiny()
    save(tmp_path / "data.npz", before)
    after = load(tmp_path / "data.npz")
    for side in ("train", "test"):
        for column in ("users", "items", "ratings", "timestamps"):
            old, new = (getattr(getattr(one, side), column) for one in (before, after))
            np.testing.assert_array_equal(old, new)
            assert old.dtype == new.dtype
    assert after.item_words == before.item_words
    assert after.titles == before.titles
    assert after.fingerprint == before.fingerprint
