"""What every recommender must do, over every folder of `src/pipelines`."""

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny_datasets
from core.dataset import Dataset
from core.protocol import EvaluationProtocol
from core.recommender import NO_ITEM, RatingPredictor, Recommender
from utils.evaluation import evaluate
from utils.runner import Pipeline, load_pipeline, pipeline_files

PIPELINES: dict[str, Pipeline[Any]] = {name: load_pipeline(name) for name in pipeline_files()}
OTHER_WAYS: dict[str, list[dict[str, Any]]] = {  # beside the default parameters
    "popularity": [{"ranking": "mean", "threshold": 2}],
    "association": [
        {"measure": "lift", "combine": "max"},
        {"measure": "confidence", "min_confidence": 0.1, "n_rules": 3},
    ],
    "UMCF": [{"similarity": "pearson", "shrinkage": 0.0}],
    "SVD": [{"fill_with_zero": False}, {"fill_with_zero": False, "use_bias": True}],
    "NMF": [{"fill_with_zero": False}],
    "MF": [{"use_bias": False}, {"solver": "surprise"}],
    "IMF": [{"minimum_rating": 0, "minimum_num_rating": 2}],
    "BPR": [{"verify_negative_samples": False, "minimum_num_rating": 2}],
    "LDA_contents": [{"n_epochs": 2, "minimum_items": 50, "eta_by_frequency": True}],
    "LDA_collaboration": [{"n_epochs": 2, "updates": 1, "factors": 3, "eta_by_frequency": False}],
}
VARIANTS = [(name, params) for name in PIPELINES for params in ({}, *OTHER_WAYS.get(name, []))]
DATASETS: dict[str, Callable[[], Dataset]] = {
    "two_tastes": tiny_datasets.two_tastes,
    "constant": tiny_datasets.constant,
    "cold": tiny_datasets.cold,
    "single": tiny_datasets.single,
    "noisy": tiny_datasets.noisy,
}


@pytest.fixture(params=VARIANTS, ids=str)
def make(request: pytest.FixtureRequest) -> Callable[[], Recommender]:
    name, params = request.param
    pipeline = PIPELINES[name]
    return lambda: pipeline.recommender(pipeline.params(**params))


@pytest.fixture(params=DATASETS)
def data(request: pytest.FixtureRequest) -> Dataset:
    return DATASETS[request.param]()


def everybody(data: Dataset) -> np.ndarray:
    return np.arange(len(data.user_ids), dtype=np.int32)


def lists(model: Recommender, data: Dataset, k: int = 4) -> np.ndarray:
    return model.recommend(everybody(data), k, exclude=data.train.matrix)


def test_lists_hold_no_excluded_and_no_repeated_item(
    make: Callable[[], Recommender], data: Dataset
) -> None:
    found = lists(make().fit(data), data)
    seen = data.train.matrix.toarray() > 0
    for user, items in enumerate(found):
        listed = items[items != NO_ITEM]
        assert not seen[user, listed].any()
        assert len(set(listed)) == len(listed)
        assert (items[len(listed) :] == NO_ITEM).all()


def test_a_list_longer_than_the_catalogue_ends_in_no_item(
    make: Callable[[], Recommender], data: Dataset
) -> None:
    n_items = len(data.item_ids)
    found = make().fit(data).recommend(everybody(data), n_items + 3, exclude=None)
    assert found.shape == (len(data.user_ids), n_items + 3)
    assert (found[:, n_items:] == NO_ITEM).all()


def test_a_batch_equals_one_by_one(make: Callable[[], Recommender], data: Dataset) -> None:
    model = make().fit(data)
    together = lists(model, data)
    scores = model.score(everybody(data))
    for user in everybody(data)[:20]:
        alone = model.recommend(np.array([user], np.int32), 4, exclude=data.train.matrix)[0]
        # a product of one row may round otherwise: only items with one score may change places
        for one, other in zip(alone, together[user], strict=True):
            assert one == other or abs(scores[user, one] - scores[user, other]) < 1e-6


def test_score_and_score_into_agree(make: Callable[[], Recommender], data: Dataset) -> None:
    model = make().fit(data)
    users = everybody(data)
    scores = model.score(users)
    assert scores.shape == (len(users), len(data.item_ids))
    out = np.empty(scores.shape, np.float32)
    model.score_into(users, out)
    np.testing.assert_allclose(out, scores, rtol=1e-5, atol=1e-6)


def test_same_seed_same_lists_and_fitting_again_starts_afresh(
    make: Callable[[], Recommender], data: Dataset
) -> None:
    model = make().fit(data)
    first = lists(model, data).tolist()
    assert lists(make().fit(data), data).tolist() == first
    assert lists(model.fit(tiny_datasets.noisy()).fit(data), data).tolist() == first


def test_a_pickle_recommends_the_same_and_holds_no_training_data(
    make: Callable[[], Recommender],
) -> None:
    data = tiny_datasets.noisy()
    model = make().fit(data)
    pickled = pickle.dumps(model)
    assert lists(pickle.loads(pickled), data).tolist() == lists(model, data).tolist()
    if model.keeps_history:
        return
    for column in (data.train.users, data.train.items, data.train.ratings, data.train.timestamps):
        assert column.tobytes() not in pickled
    assert data.train.matrix.data.tobytes() not in pickled


def test_the_test_side_is_never_read(make: Callable[[], Recommender]) -> None:
    class Forbidden(Dataset):
        def __getattribute__(self, name: str) -> Any:
            if name == "test":
                raise AssertionError("fit read the test ratings")
            return super().__getattribute__(name)

    data = tiny_datasets.noisy()
    fields = {one.name: getattr(data, one.name) for one in dataclasses.fields(data)}
    blind = object.__new__(Forbidden)
    for name, value in fields.items():
        object.__setattr__(blind, name, value)
    make().fit(blind)


def test_predictions_are_finite_also_for_cold_pairs(
    make: Callable[[], Recommender], data: Dataset
) -> None:
    model = make().fit(data)
    if not isinstance(model, RatingPredictor):
        assert not hasattr(model, "predict")
        return
    users = np.repeat(everybody(data), len(data.item_ids))
    items = np.tile(np.arange(len(data.item_ids), dtype=np.int32), len(data.user_ids))
    stars = model.predict(users, items)
    assert stars.shape == users.shape
    assert np.isfinite(stars).all()


def test_parameters_are_only_stored_by_the_constructor(make: Callable[[], Recommender]) -> None:
    assert not [name for name in vars(make()) if name.endswith("_")]


@pytest.mark.parametrize(
    "name", [name for name in PIPELINES if name not in ("random", "popularity")]
)
def test_beats_random_where_there_is_something_to_learn(name: str) -> None:
    data = tiny_datasets.two_tastes()
    protocol = EvaluationProtocol("tiny", k=1)
    scores = {}
    for one in (name, "random"):
        pipeline = PIPELINES[one]
        model = pipeline.recommender(pipeline.params()).fit(data)
        scores[one] = evaluate(model, data, protocol).metrics["recall_at_k"]
    assert scores[name] > max(0.9, scores["random"])


@pytest.mark.parametrize("name", PIPELINES)
def test_folder_is_complete(name: str) -> None:
    pipeline = PIPELINES[name]
    assert pipeline.name == name == pipeline.folder.name
    files = {"model.py", f"pipeline_{name.lower()}.py", "pyproject.toml", "pipeline_params.env"}
    missing = files - {file.name for file in pipeline.folder.iterdir()}
    assert not missing, f"{pipeline.folder} lacks {', '.join(sorted(missing))}"
    keys = {
        line.partition("=")[0].lower()
        for line in (pipeline.folder / "pipeline_params.env").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert keys == set(pipeline.params.model_fields)
    for field, info in pipeline.params.model_fields.items():
        assert info.description, f"{name}: {field} has no docstring"
    assert pipeline.params.load(pipeline.folder) == pipeline.params()


@pytest.mark.parametrize("name", PIPELINES)
def test_tables_have_columns_of_one_length(name: str, data: Dataset) -> None:
    pipeline = PIPELINES[name]
    tables = pipeline.recommender(pipeline.params()).fit(data).tables(data)
    for columns in tables.values():
        assert len({len(values) for values in columns.values()}) == 1


def test_readme_has_a_row_for_every_recommender() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name in PIPELINES:
        assert f"| `{name}` |" in readme
