"""`docker/demo.sh` with a `docker` that only writes down what it is asked."""

import os
import subprocess
from pathlib import Path

from project_copy import ROOT

FAKE = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
    *"config --services"*) printf 'db\\npipeline_svd\\npipeline_random\\n' ;;
    "image ls"*"RecArena pipeline_svd"*) printf 'sha256:new\\nsha256:old\\n' ;;
    *port*) echo 127.0.0.1:5001 ;;
esac
"""


def test_every_recommender_is_run_once_and_told_its_image(tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "docker"
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(0o755)
    calls = tmp_path / "calls"
    environment = os.environ | {
        "PATH": f"{fake.parent}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "DATASET": "ml-10m",
    }
    done = subprocess.run(
        ["sh", ROOT / "docker/demo.sh"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "MLflow UI: http://127.0.0.1:5001" in done.stdout
    made = calls.read_text().splitlines()
    runs = [line for line in made if line.startswith("compose run") and "pipeline_" in line]
    assert runs == [
        "compose run --rm -T -e RECARENA_IMAGE= pipeline_random",
        "compose run --rm -T -e RECARENA_IMAGE=sha256:new pipeline_svd",
    ]
