"""Run BPR: python -m pipelines.BPR.pipeline_bpr --help"""

from pathlib import Path

from pipelines.BPR.model import BPR, BPRParams
from utils.runner import Pipeline

pipeline = Pipeline("BPR", BPR, BPRParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
