"""Times and sizes of the containers: python bench/containers.py [--repeats 3]

Builds the images that the first pipeline needs anew, so that nothing of an earlier build helps
(base images are not counted), in a copy of the project with a project name and ports of its own;
removes all of it at the end.
Writes bench/.work/results/containers.json, which `bench/run.py report` takes up.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from compose.conftest import compose_2  # noqa: E402 - found by the path above
from compose.stack import Stack, docker, eventually  # noqa: E402
from real_data import real_data  # noqa: E402
from utils.runner import pipeline_files  # noqa: E402

GIB, MIB = 2**30, 2**20
OVERHEAD = ("popularity", "SVD", "UMCF")
PROFILES = ("--profile", "load", "--profile", "pipelines")


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def first_run(stack: Stack, *build: str) -> float:
    """From nothing to the first finished pipeline, in seconds."""

    def work() -> None:
        stack("--profile", "load", "--profile", "pipeline_svd", "build", *build, timeout=1800)
        stack("up", "-d")
        stack("run", "--rm", "-T", "load")
        stack("run", "--rm", "-T", "pipeline_svd")

    return seconds(work)


def healthy_after(stack: Stack) -> float:
    """Seconds from the start of MLflow's container to the first check that it passed."""
    stack("rm", "--stop", "--force", "mlflow-server")

    def work() -> None:
        stack("up", "-d", "--no-deps", "mlflow-server")
        eventually(lambda: stack.health("mlflow-server") == "healthy")

    return seconds(work)


def resident(stack: Stack, service: str) -> float:
    """MiB that a service's container uses, without the cache of files."""
    container = stack.container(service)
    shown = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container)
    found = re.match(r"([\d.]+)([KMG])iB", shown)
    assert found, shown
    return float(found[1]) * {"K": 1 / 1024, "M": 1, "G": 1024}[found[2]]


def rebuild(stack: Stack, number: int) -> float:
    """Build SVD's image after a change in its model."""
    file = stack.folder / "src/pipelines/SVD/model.py"
    file.write_text(f"{file.read_text()}\n# change {number} {time.time()}\n")
    return seconds(lambda: stack("build", "pipeline_svd"))


def overhead(stack: Stack, name: str, repeats: int) -> tuple[float, float]:
    """Median seconds of a run in a container, and as a plain process on the same services."""
    module = f"pipelines.{name}.pipeline_{name.lower()}"
    environment = os.environ | stack.settings | {"PYTHONPATH": str(ROOT / "src")}
    environment |= {"DB_HOST": "127.0.0.1", "MLFLOW_TRACKING_HOST": "127.0.0.1"}

    def inside() -> None:
        stack("run", "--rm", "-T", f"pipeline_{name.lower()}")

    def outside() -> None:
        command = [sys.executable, "-m", module]
        subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)

    inside(), outside()  # what is compiled on the first run is compiled
    pairs = [(seconds(inside), seconds(outside)) for _ in range(repeats)]
    return statistics.median(one for one, _ in pairs), statistics.median(two for _, two in pairs)


def layers(image: str) -> dict[str, int]:
    """Bytes of an image's layers, each under the chain of instructions that made it."""
    lines = docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", image)
    chain, found = "", {}
    for line in reversed(lines.splitlines()):
        one = json.loads(line)
        chain = f"{hash((chain, one['CreatedBy'], one['Size']))}"
        found[chain] = int(one["Size"])
    return found


def sizes(stack: Stack) -> dict[str, float]:
    """MiB of the pipelines' images: all their different layers, and the largest image."""
    images = {name: layers(f"{stack.name}-pipeline_{name.lower()}") for name in pipeline_files()}
    different = {chain: size for one in images.values() for chain, size in one.items()}
    whole = {name: sum(one.values()) / MIB for name, one in images.items()}
    largest = max(whole, key=lambda name: whole[name])
    return {
        "images": len(images),
        "unique_mib": sum(different.values()) / MIB,
        "largest_mib": whole[largest],
        "smallest_mib": min(whole.values()),
        "largest_name": largest,
    }  # type: ignore[dict-item] # the name is for the table


def stops(stack: Stack) -> dict[str, float]:
    """Seconds in which each service ends when it is asked to."""
    names = ("mlflow-server", "ftp-server", "db")
    containers = {name: stack.container(name) for name in names}
    return {
        name: seconds(lambda one=one: docker("stop", "--time", "60", one))  # type: ignore[misc]
        for name, one in containers.items()
    }


def measure(stack: Stack, repeats: int) -> dict[str, Any]:
    """Everything, in an order in which nothing helps what is to be cold."""
    found: dict[str, Any] = {"cold_seconds": first_run(stack, "--no-cache")}
    stack(*PROFILES, "down", "--volumes")
    found["warm_seconds"] = first_run(stack)
    stack(*PROFILES, "build", timeout=1800)
    found |= sizes(stack)
    found["rebuild_seconds"] = statistics.median(rebuild(stack, n) for n in range(repeats))
    found["healthy_seconds"] = statistics.median(healthy_after(stack) for _ in range(repeats))
    found["runs"] = {name: overhead(stack, name, repeats) for name in OVERHEAD}
    found["mlflow_mib"] = resident(stack, "mlflow-server")
    found["stop_seconds"] = stops(stack)
    return found


def table(found: dict[str, Any], data: str) -> str:
    """The section of the report."""
    slowest = max(found["stop_seconds"], key=lambda name: found["stop_seconds"][name])
    mib, big = found["unique_mib"], found["largest_mib"]
    rows = [
        ("from nothing to the first finished pipeline", found["cold_seconds"], "s", 480),
        ("the same with images built before, no volumes", found["warm_seconds"], "s", 60),
        ("build after a change in one `model.py`", found["rebuild_seconds"], "s", 10),
        ("different layers of all pipeline images", mib * MIB / 1e6, "MB", 2500),
        (f"largest of these images ({found['largest_name']})", big * MIB / 1e6, "MB", 1000),
        ("MLflow's container in memory, after the runs", found["mlflow_mib"], "MiB", 700),
        ("MLflow from its start to healthy", found["healthy_seconds"], "s", 30),
        (f"slowest service to stop ({slowest})", found["stop_seconds"][slowest], "s", 3),
    ]
    rows += [
        (f"a run of {name} ({inside:.1f} s) beyond a plain process", inside - outside, "s", 10)
        for name, (inside, outside) in found["runs"].items()
    ]
    lines = [
        "## Containers",
        "",
        f"On {data}, with {os.cpu_count()} cores; base images are not counted.",
        "",
        "| what | measured | goal: under | |",
        "|---|---|---|---|",
    ]
    for what, value, unit, goal in rows:
        digits = 1 if value < 100 else 0
        met = "met" if value < goal else "missed"
        lines.append(f"| {what} | {value:,.{digits}f} {unit} | {goal:,} {unit} | {met} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.repeats < 1:
        parser.error("--repeats takes 1 or more")
    command, data = compose_2(), real_data()
    if command is None or data is None:
        sys.exit("it needs Compose 2, and ml-latest-small in data/ or RECARENA_TEST_DATA")
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack.make("recarena-bench", Path(folder) / "recarena", command)
        subprocess.run(["cp", "-rL", data, stack.folder / "data" / data.name], check=True)
        stack.settings["DATASET"] = data.name
        try:
            found = measure(stack, given.repeats)
        finally:
            stack(*PROFILES, "down", "--volumes", "--rmi", "local")
    target = ROOT / "bench/.work/results/containers.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    found["markdown"] = table(found, data.name)
    target.write_text(json.dumps(found, indent=2) + "\n")
    print(found["markdown"])


if __name__ == "__main__":
    main()
