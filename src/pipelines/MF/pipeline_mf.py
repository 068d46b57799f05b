"""Run MF: python -m pipelines.MF.pipeline_mf --help"""

from pathlib import Path

from pipelines.MF.model import MF, MFParams
from utils.runner import Pipeline

pipeline = Pipeline("MF", MF, MFParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
