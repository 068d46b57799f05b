"""mlxtend: with_mlxtend.py DATA fpgrowth|apriori

Rules of pairs of liked items (4 stars or more) in at least 5 % of the baskets, one basket a user,
from a sparse boolean data frame; a dense one of the whole data set would take 0.7 GB.
"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from mlxtend.frequent_patterns import apriori, association_rules, fpgrowth
from scipy.sparse import csr_matrix
from timing import Timing

if __name__ == "__main__":
    with np.load(sys.argv[1]) as arrays:
        liked = arrays["train_ratings"] >= 4
        rows, columns = arrays["train_users"][liked], arrays["train_items"][liked]
        size = (len(arrays["user_ids"]), len(arrays["item_ids"]))
    clock = Timing()
    with clock("frame"):
        baskets = csr_matrix((np.ones(len(rows), bool), (rows, columns)), shape=size)
        frame = pd.DataFrame.sparse.from_spmatrix(baskets)
    count = {"fpgrowth": fpgrowth, "apriori": apriori}[sys.argv[2]]
    with clock("rules"):
        frequent = count(frame, min_support=0.05, max_len=2)
        rules = association_rules(frequent, metric="support", min_threshold=0.05)
    clock.finish(version("mlxtend"), rules=len(rules))
