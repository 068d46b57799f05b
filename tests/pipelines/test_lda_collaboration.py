import pickle

import numpy as np

from pipelines.LDA_collaboration.model import LDACollaboration, LDACollaborationParams
from tiny_datasets import cold, dataset, noisy, two_tastes


def test_scores_are_topics_of_the_user_times_items_of_the_topics() -> None:
    data = noisy()
    model = LDACollaboration(LDACollaborationParams(factors=5)).fit(data)
    everybody = np.arange(len(data.user_ids), dtype=np.int32)
    scores = model.score(everybody)
    np.testing.assert_allclose(scores, model.user_factors_ @ model.item_factors_, rtol=1e-5)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-4)  # of a distribution over items


def test_users_of_one_taste_share_topics_that_hold_their_items() -> None:
    data = two_tastes()
    model = LDACollaboration(LDACollaborationParams(factors=2)).fit(data)
    topics = data.titles, model.tables(data)["topics"]
    halves = {
        tuple(sorted({int(title.split()[1]) % 2 for title in topics[1]["title"][rows]}))
        for rows in (topics[1]["topic"] == 1, topics[1]["topic"] == 2)
    }
    assert halves == {(0,), (1,)}
    ids = topics[1]["movie_id"] - 1000
    assert [topics[0][item] for item in ids] == topics[1]["title"].tolist()


def test_who_liked_nothing_gets_the_mean_users_topics() -> None:
    data = cold()  # users 2 and 3 have no train rating
    model = LDACollaboration(LDACollaborationParams(minimum_rating=2.5)).fit(data)
    mean = model.user_factors_[:2].mean(axis=0)
    np.testing.assert_allclose(model.user_factors_[[2, 3]], [mean, mean], rtol=1e-6)
    scores = model.score(np.array([2], np.int32))[0]
    assert scores[0] == scores.max()  # the one item that both like
    assert (scores[[3, 4, 5]] == 0).all()  # nobody likes them


def test_only_liked_items_are_words() -> None:
    data = dataset([(0, 0, 5.0), (0, 1, 3.5), (1, 2, 4.0)], [], 2, 4)
    model = LDACollaboration(LDACollaborationParams()).fit(data)
    assert (model.item_factors_ > 0).all(axis=0).tolist() == [True, False, True, False]
    strict = LDACollaboration(LDACollaborationParams(minimum_rating=5.5)).fit(data)
    assert strict.score(np.array([0, 1], np.int32)).tolist() == [[0.0] * 4] * 2


def test_the_pickle_needs_no_gensim() -> None:
    model = LDACollaboration(LDACollaborationParams(factors=3)).fit(noisy())
    assert b"gensim" not in pickle.dumps(model)
