"""Every recommender gives the same to the last bit, whatever the number of threads."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import numba
import pytest
from threadpoolctl import threadpool_limits

import tiny_datasets
from core.dataset import Dataset
from core.protocol import EvaluationProtocol
from fake_tracker import FakeRun, FakeTracker
from utils.run_differences import differences
from utils.runner import Source, load_pipeline, pipeline_files

MANY = 4


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Large enough for the libraries to divide the work."""
    return tiny_datasets.noisy(1200, 700)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """As on a machine of n cores, for Python and for the libraries."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(os, "cpu_count", lambda: n))
        stack.enter_context(threadpool_limits(n))
        before = numba.get_num_threads()
        stack.callback(numba.set_num_threads, before)
        numba.set_num_threads(min(n, before))
        yield


def run(name: str, data: Dataset, tracker: FakeTracker) -> FakeRun:
    pipeline = load_pipeline(name)
    source = Source("a test", "tiny", lambda: data)
    pipeline.run(pipeline.params(), source, EvaluationProtocol("tiny"), tracker)
    return tracker.runs[-1]


@pytest.mark.parametrize("name", pipeline_files())
def test_the_same_run_with_one_thread_and_with_many(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    tracker = FakeTracker(tmp_path)
    with threads(1):
        first = run(name, data, tracker)
    with threads(MANY):
        again = run(name, data, tracker)
    found = differences(first.folder, again.folder, (first.metrics, again.metrics))
    assert found.identical, found
    assert first.curves == again.curves
    assert first.tags["model_sha256"] == again.tags["model_sha256"]
