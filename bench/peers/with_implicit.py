"""implicit: with_implicit.py DATA LISTS

`recommend` for all users at once, on the factors that the data file holds, seen items left out,
with one BLAS thread as implicit itself advises. Writes the lists to LISTS.
"""

import sys
from importlib.metadata import version

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits
from timing import Timing

if __name__ == "__main__":
    clock = Timing()
    lists = {}
    with np.load(sys.argv[1]) as arrays, threadpool_limits(1, "blas"):
        size = (len(arrays["user_ids"]), len(arrays["item_ids"]))
        rows, columns = arrays["train_users"], arrays["train_items"]
        seen = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=size)
        everybody = np.arange(size[0])
        for factors in (64, 128):
            model = AlternatingLeastSquares(factors=factors)
            model.user_factors = arrays[f"user_factors_{factors}"]
            model.item_factors = arrays[f"item_factors_{factors}"]
            options = {"N": 10, "filter_already_liked_items": True}
            model.recommend(everybody[:1000], seen[:1000], **options)
            with clock(f"rank {factors}"):
                lists[str(factors)], _ = model.recommend(everybody, seen, **options)
    np.savez(sys.argv[2], **lists)
    clock.finish(version("implicit"))
