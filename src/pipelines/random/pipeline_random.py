"""Run random: python -m pipelines.random.pipeline_random --help"""

from pathlib import Path

from pipelines.random.model import Random, RandomParams
from utils.runner import Pipeline

pipeline = Pipeline("random", Random, RandomParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
