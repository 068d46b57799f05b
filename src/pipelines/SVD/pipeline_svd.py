"""Run SVD: python -m pipelines.SVD.pipeline_svd --help"""

from pathlib import Path

from pipelines.SVD.model import SVDParams, svd
from utils.runner import Pipeline

pipeline = Pipeline("SVD", svd, SVDParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
