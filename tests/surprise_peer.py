"""Train ratings as scikit-surprise takes them, with our indices as its inner ids."""

from collections import defaultdict

from surprise import Trainset

from core.dataset import Dataset


def trainset(data: Dataset) -> Trainset:
    """All train ratings; users and items without one are known to neither side's averages."""
    train = data.train
    of_user, of_item = defaultdict(list), defaultdict(list)
    rows = zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True)
    for user, item, stars in rows:
        of_user[user].append((item, stars))
        of_item[item].append((user, stars))
    return Trainset(
        of_user,
        of_item,
        train.n_users,
        train.n_items,
        len(train),
        (data.scale.lowest, data.scale.highest),
        {user: user for user in range(train.n_users)},
        {item: item for item in range(train.n_items)},
    )
