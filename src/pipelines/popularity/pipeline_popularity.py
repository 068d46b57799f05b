"""Run popularity: python -m pipelines.popularity.pipeline_popularity --help"""

from pathlib import Path

from pipelines.popularity.model import Popularity, PopularityParams
from utils.runner import Pipeline

pipeline = Pipeline("popularity", Popularity, PopularityParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
