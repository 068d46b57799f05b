"""Run IMF: python -m pipelines.IMF.pipeline_imf --help"""

from pathlib import Path

from pipelines.IMF.model import IMF, IMFParams
from utils.runner import Pipeline

pipeline = Pipeline("IMF", IMF, IMFParams, Path(__file__).parent)

if __name__ == "__main__":
    pipeline.main()
