"""Run association: python -m pipelines.association.pipeline_association --help"""

from pathlib import Path

from pipelines.association.model import Association, AssociationParams
from utils.runner import Pipeline

pipeline = Pipeline("association", Association, AssociationParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
