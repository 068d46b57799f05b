"""gensim: with_gensim.py DATA

LdaModel with 50 topics and one pass, users as documents of liked items (4 stars or more) in lists
of tuples; then the topics of all documents. All else is as gensim has it by default, but for
the perplexity that it would estimate every ten chunks: it is not estimated.
"""

import sys
from importlib.metadata import version

import numpy as np
from gensim.models import LdaModel
from timing import Timing

if __name__ == "__main__":
    with np.load(sys.argv[1]) as arrays:
        liked = arrays["train_ratings"] >= 4
        users, items = arrays["train_users"][liked], arrays["train_items"][liked]
        n_users, n_items = len(arrays["user_ids"]), len(arrays["item_ids"])
    clock = Timing()
    with clock("corpus"):
        order = np.argsort(users, kind="stable")
        ends = np.cumsum(np.bincount(users, minlength=n_users)).tolist()
        words = [(item, 1) for item in items[order].tolist()]
        corpus = [words[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    names = {item: str(item) for item in range(n_items)}
    with clock("pass"):
        model = LdaModel(
            corpus, num_topics=50, passes=1, id2word=names, random_state=0, eval_every=None
        )
    with clock("inference"):
        model.inference(corpus)
    clock.finish(version("gensim"))
