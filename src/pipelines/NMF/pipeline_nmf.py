"""Run NMF: python -m pipelines.NMF.pipeline_nmf --help"""

from pathlib import Path

from pipelines.NMF.model import NMFParams, nmf
from utils.runner import Pipeline

pipeline = Pipeline("NMF", nmf, NMFParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
