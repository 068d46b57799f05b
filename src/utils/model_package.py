"""The folder that MLflow takes for a `pyfunc` model, written without MLflow's own writer.

That one imports pandas and half of MLflow, which the recommenders' images do not have, and takes
seconds to guess what is known here. The folder's format is MLflow's documented one ("MLmodel"), in
JSON, which is YAML too. It holds code and no model: that lies with the run's files, once.
"""

import importlib.metadata
import json
import platform
import re
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.paths import ROOT
from utils.served_model import DATA_FILE, DEFAULT_K

SOURCE = ROOT / "src"
LOADER = "recarena_loader"
CODE = "code.zip"
# what the code that is packed imports, beside what the recommender itself needs
NEEDED = ("numpy", "scipy", "threadpoolctl", "pyarrow", "pydantic", "pydantic-settings", "rich")
LOADER_TEXT = f'''"""Unpacks the code that this model was made with, and loads the model."""

import sys
import tempfile
import zipfile
from pathlib import Path

unpacked = []


class Model:
    """What MLflow asks; without types, which it would take for rules of its own."""

    def __init__(self, served):
        self.served = served

    def predict(self, data, params=None):
        return self.served.predict(data, params)


def _load_pyfunc(path):
    folder = tempfile.TemporaryDirectory(prefix="recarena-code-")
    unpacked.append(folder)  # removed when the process ends
    with zipfile.ZipFile(Path(path) / "{CODE}") as code:
        code.extractall(folder.name)
    sys.path.insert(0, folder.name)
    import pipelines

    if f"{{folder.name}}/pipelines" not in pipelines.__path__:
        pipelines.__path__.append(f"{{folder.name}}/pipelines")  # another recommender is loaded too
    from utils.served_model import load

    return Model(load(Path(path)))
'''
COLUMNS = {"user_id": "long", "rank": "integer", "movie_id": "long", "score": "float"}


def write_package(folder: Path, name: str, example: list[int]) -> None:
    """Write everything of the model's folder that is known before MLflow has given it an id.

    `name` is the recommender's, `example` some user ids.
    """
    for part in ("code", "data"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "code" / f"{LOADER}.py").write_text(LOADER_TEXT, encoding="utf-8")
    _pack_code(folder / "data" / CODE, name)
    pinned = requirements(name)
    (folder / "requirements.txt").write_text("\n".join(pinned) + "\n", encoding="utf-8")
    python = platform.python_version()
    build = ["pip", "setuptools", "wheel"]
    _write(
        folder / "python_env.yaml",
        {"python": python, "build_dependencies": build, "dependencies": ["-r requirements.txt"]},
    )
    conda = [f"python={python}", "pip", {"pip": pinned}]
    _write(
        folder / "conda.yaml",
        {"name": "mlflow-env", "channels": ["conda-forge"], "dependencies": conda},
    )
    split = {"columns": ["user_id"], "data": [[user] for user in example]}
    _write(folder / "input_example.json", split)
    _write(folder / "serving_input_example.json", {"dataframe_split": split})


def write_identity(folder: Path, name: str, run_id: str, model_id: str) -> None:
    """Write what depends on the run and on the id that MLflow has given to the model."""
    _write(folder / "data" / DATA_FILE, {"recommender": name, "run_id": run_id})
    env = {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    flavor = {
        "code": "code",
        "data": "data",
        "env": env,
        "loader_module": LOADER,
        "python_version": platform.python_version(),
        "streamable": False,
    }
    example = {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
    }
    described = {
        "artifact_path": f"models:/{model_id}",
        "flavors": {"python_function": flavor},
        "mlflow_version": _mlflow_version(),
        "model_id": model_id,
        "model_uuid": model_id.removeprefix("m-"),
        "run_id": run_id,
        "saved_input_example_info": example,
        "signature": signature(),
        "utc_time_created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    _write(folder / "MLmodel", described)


def signature() -> dict[str, str]:
    """User ids in, lists out; `k` is a parameter."""
    columns = [{"type": kind, "name": name, "required": True} for name, kind in COLUMNS.items()]
    k = {"name": "k", "default": DEFAULT_K, "shape": None, "type": "integer"}
    return {
        "inputs": json.dumps(columns[:1]),
        "outputs": json.dumps(columns),
        "params": json.dumps([k]),
    }


def requirements(name: str) -> list[str]:
    """The packages that the model needs to be served, at the versions that it was made with."""
    file = SOURCE / "pipelines" / name / "pyproject.toml"
    own = tomllib.loads(file.read_text())["project"]["dependencies"] if file.exists() else []
    names = {*NEEDED, *(re.split(r"[\s<>=!~;\[]", one)[0] for one in own)}
    pinned = [f"{one}=={importlib.metadata.version(one)}" for one in sorted(names)]
    return [f"mlflow=={_mlflow_version()}", *pinned]


def _mlflow_version() -> str:
    """The images of the recommenders have MLflow's small client, which has the same version."""
    return importlib.metadata.version("mlflow-skinny")


def _pack_code(file: Path, name: str) -> None:
    """Pack the domain's types, this recommender, and the parts that it may import."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as code:
        for part in ("core", "utils", f"pipelines/{name}"):
            for one in sorted((SOURCE / part).rglob("*.py")):
                code.write(one, one.relative_to(SOURCE))
        code.write(SOURCE / "pipelines" / "__init__.py", "pipelines/__init__.py")


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
