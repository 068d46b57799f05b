"""Run UMCF: python -m pipelines.UMCF.pipeline_umcf --help"""

from pathlib import Path

from pipelines.UMCF.model import UMCF, UMCFParams
from utils.runner import Pipeline

pipeline = Pipeline("UMCF", UMCF, UMCFParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
