import dataclasses
import pickle

import numpy as np

from core.dataset import Dataset, Interactions
from pipelines.LDA_contents.model import LDAContents, LDAContentsParams, newest
from pipelines.LDA_contents.words import count_words
from tiny_datasets import dataset, noisy, two_tastes


def described(words: list[list[str]], rows: list[tuple[int, int, float]], n_users: int) -> Dataset:
    data = dataset(rows, [], n_users, len(words))
    return dataclasses.replace(data, item_words=words)


def test_words_are_counted_and_the_rare_left_out() -> None:
    words = [["war", "based on a book", "war"], [], ["based on a book", "once"], ["war"]]
    counts, vocabulary = count_words(words, 2)
    assert vocabulary.tolist() == ["based on a book", "war"]
    assert counts.toarray().tolist() == [[1, 2], [0, 0], [1, 0], [0, 1]]
    assert count_words(words, 1)[1].tolist() == ["based on a book", "once", "war"]
    assert count_words([[], []], 1)[0].shape == (2, 0)


def test_newest_by_time_then_by_the_higher_item() -> None:
    users = np.array([0, 0, 0, 0, 1, 1, 1], np.int32)
    items = np.array([0, 1, 2, 3, 0, 2, 1], np.int32)
    times = np.array([9, 5, 7, 5, 4, 4, 4], np.int64)
    liked = Interactions(users, items, np.ones(7, np.float32), times, 3, 4)
    assert newest(liked, 2).toarray().tolist() == [[1, 0, 1, 0], [0, 1, 1, 0], [0] * 4]
    assert newest(liked, 3).toarray().tolist() == [[1, 0, 1, 1], [1, 1, 1, 0], [0] * 4]


def test_a_user_is_the_mean_of_the_newest_liked_items() -> None:
    data = noisy()
    model = LDAContents(LDAContentsParams(factors=4, n_latest=3)).fit(data)
    train = data.train
    for user in range(30):
        mine = np.flatnonzero((train.users == user) & (train.ratings >= 4))
        latest = train.items[mine[np.argsort(train.timestamps[mine])[-3:]]]
        topics = model.item_factors_.T[latest, :-1]
        expected = topics.mean(axis=0) if len(latest) else np.zeros(4)
        np.testing.assert_allclose(model.user_factors_[user, :-1], expected, rtol=1e-5)
        scores = model.score(np.array([user], np.int32))[0]
        if len(latest):
            np.testing.assert_allclose(scores, model.item_factors_.T[:, :-1] @ expected, rtol=1e-5)


def test_topics_hold_words_that_go_together() -> None:
    data = two_tastes()
    model = LDAContents(LDAContentsParams(factors=2, alpha=0.1)).fit(data)
    table = model.tables(data)["topics"]
    first = table["word"][table["rank"] == 1]
    assert sorted(first) == ["even", "odd"]
    assert (table["probability"][table["rank"] == 1] > 0.9).all()


def test_items_without_words_come_last_and_teach_nothing() -> None:
    words = [["a"], ["a"], ["b"], ["b"], [], []]
    data = described(words, [(0, 0, 5.0), (0, 4, 5.0)], 1)
    scores = LDAContents(LDAContentsParams(factors=4)).fit(data).score(np.array([0], np.int32))[0]
    assert (scores[[4, 5]] == 0).all()
    assert (scores[:4] > 0).all()


def test_without_topics_of_their_own_users_get_popularity() -> None:
    words = [["a"], ["a"], [], ["b"]]
    rows = [(0, 0, 5.0), (0, 1, 5.0), (1, 1, 4.0), (2, 2, 4.0), (3, 3, 1.0)]
    model = LDAContents(LDAContentsParams(factors=4)).fit(described(words, rows, 5))
    only_wordless_disappointed_new = np.array([2, 3, 4], np.int32)
    lists = model.recommend(only_wordless_disappointed_new, 4, exclude=None)
    assert lists.tolist() == [[1, 0, 2, 3]] * 3


def test_no_words_at_all_is_popularity() -> None:
    data = described([[], [], []], [(0, 1, 5.0), (1, 1, 4.0), (1, 2, 4.0)], 2)
    model = LDAContents(LDAContentsParams()).fit(data)
    lists = model.recommend(np.array([0, 1], np.int32), 3, exclude=None)
    assert lists.tolist() == [[1, 2, 0]] * 2
    assert len(model.tables(data)["topics"]["word"]) == 0


def test_the_pickle_needs_no_gensim() -> None:
    model = LDAContents(LDAContentsParams(factors=3)).fit(noisy())
    assert b"gensim" not in pickle.dumps(model)
