"""Run LDA_contents: python -m pipelines.LDA_contents.pipeline_lda_contents --help"""

from pathlib import Path

from pipelines.LDA_contents.model import LDAContents, LDAContentsParams
from utils.runner import Pipeline

pipeline = Pipeline("LDA_contents", LDAContents, LDAContentsParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
