"""Run LDA_collaboration: python -m pipelines.LDA_collaboration.pipeline_lda_collaboration --help"""

from pathlib import Path

from pipelines.LDA_collaboration.model import LDACollaboration, LDACollaborationParams
from utils.runner import Pipeline

pipeline = Pipeline(
    "LDA_collaboration", LDACollaboration, LDACollaborationParams, Path(__file__).parent
)

if __name__ == "__main__":
    pipeline.main()
