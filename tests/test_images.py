"""What Dockerfiles, Compose files and the lock say, without an engine."""

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BASE = (ROOT / "DockerfilePipeline").read_text().split("\n# The platform itself")[0]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PIPELINES = sorted(file.parent.name for file in (ROOT / "src/pipelines").glob("*/pyproject.toml"))
SECRETS = (
    "POSTGRES_PASSWORD",
    "FTP_USER_PASS",
    "FTP_USER_NAME",
    "MLFLOW_ADMIN_PASS",
    "MLFLOW_TRACKING_PASSWORD",
)


def dockerfile(name: str) -> str:
    return (ROOT / "src/pipelines" / name / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def install() -> ModuleType:
    """The script that images are built with."""
    return load_script("install")


def load_script(name: str) -> ModuleType:
    """A script of the images, which is no module of ours."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docker/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_pipelines() -> None:
    assert {"SVD", "popularity", "random"} <= set(PIPELINES)


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_images_are_alike_but_for_names(name: str) -> None:
    text = dockerfile(name)
    assert text.startswith(BASE), "the base is not that of DockerfilePipeline, word for word"
    own = text.removeprefix(BASE)
    plain = own.replace(f"pipeline_{name.lower()}", "pipeline_*").replace(name, "*")
    like = dockerfile("SVD").removeprefix(BASE)
    assert plain == like.replace("pipeline_svd", "pipeline_*").replace("SVD", "*")
    assert f'ENTRYPOINT ["python", "-m", "pipelines.{name}.pipeline_{name.lower()}"]' in own


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_is_a_service(name: str) -> None:
    service = SERVICES[f"pipeline_{name.lower()}"]
    assert service["build"]["dockerfile"] == f"src/pipelines/{name}/Dockerfile"
    assert service["profiles"] == [f"pipeline_{name.lower()}", "pipelines"]
    others = {key: value for key, value in service.items() if key not in ("build", "profiles")}
    assert others == COMPOSE["x-pipeline"]
    stanza = (ROOT / "docker-compose.yml").read_text().split(f"  pipeline_{name.lower()}:\n")[1]
    assert len(stanza.split("\n\n")[0].splitlines()) <= 4


def test_the_versions_of_the_labels_are_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for file in (*ROOT.glob("Dockerfile*"), *ROOT.glob("src/pipelines/*/Dockerfile")):
        found = re.search(r'image\.version="(.*)"', file.read_text())
        assert found, file
        assert found[1] == project["version"], file


def test_code_comes_after_dependencies_and_the_account_is_not_root() -> None:
    for file in (*ROOT.glob("Dockerfile*"), *ROOT.glob("src/pipelines/*/Dockerfile")):
        lines = file.read_text().splitlines()
        code = min(n for n, line in enumerate(lines) if line.startswith("COPY --chown"))
        installs = max(n for n, line in enumerate(lines) if "/build/install.py /build" in line)
        assert installs < code, file
        assert lines[max(n for n, line in enumerate(lines) if line.startswith("USER"))] == (
            "USER 10001"
        )


def test_any_builder_can_build_them() -> None:
    """Compose 1.29 and Compose 2 without buildx use the engine's own builder, which is old."""
    for file in (*ROOT.glob("Dockerfile*"), *ROOT.glob("src/pipelines/*/Dockerfile")):
        text = file.read_text()
        for new in ("--mount", "--chmod", "--link", "<<", "# syntax"):
            assert new not in text, file
        (image,) = {line for line in text.splitlines() if re.match("FROM (?!base)", line)}
        assert image.split()[1] == "python:3.11-slim", (
            "another service's image may not be there yet"
        )


@pytest.mark.parametrize("name", [one for one in SERVICES if one.startswith("pipeline_")])
def test_a_pipeline_is_told_no_password(name: str) -> None:
    assert not set(SECRETS) & set(SERVICES[name]["environment"])


def test_only_two_services_know_the_ftp_account() -> None:
    knowing = {name for name, one in SERVICES.items() if "FTP_USER_PASS" in str(one)}
    assert knowing == {"ftp-server", "mlflow-server"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert re.fullmatch(r"\$\{\w+_MEMORY:-\d+[mg]\}", service["mem_limit"])


def test_ports_are_published_on_this_machine_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 4
    assert all(port.startswith("127.0.0.1:") for port in published)
    told = [one.get("environment", {}).get("PUBLISHED_HOST") for one in SERVICES.values()]
    assert {host for host in told if host} == {"127.0.0.1"}


def test_nothing_of_a_user_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {line.removeprefix("!") for line in rules if line.startswith("!")}
    assert allowed == {
        "alembic", "alembic.ini", "docker", "poetry.lock", "requirements.txt", "src"
    }  # fmt: skip


def test_an_image_gets_all_that_a_package_needs_and_no_more(install: ModuleType) -> None:
    lock = tomllib.loads((ROOT / "poetry.lock").read_text())
    found = install.needed(lock, ["Scikit_Learn"])
    assert found > {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"}
    assert not found & {"mlflow", "pandas", "numba"}
    lines = install.lines((ROOT / "requirements.txt").read_text(), found)
    entries = re.findall(r"^(\S+)==", lines, flags=re.MULTILINE)
    assert {install.normal(name) for name in entries} == found
    assert lines.count("--hash=sha256:") > len(found)


def test_mlflow_finds_the_same_artifact_store_in_its_image(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (group, entries), *others = project["entry-points"].items()
    assert not others
    text = (ROOT / "DockerfileMlflow").read_text()
    (command,) = re.findall(r"RUN python /build/register.py ((?:.*\\\n)*.*)", text)
    folder, *given = command.replace("\\\n", " ").split()
    assert folder == re.findall(r"PYTHONPATH=(\S+)", text)[0]
    load_script("register").register(tmp_path, folder, *given[:1], given[1:])
    (package,) = importlib.metadata.distributions(path=[str(tmp_path)])
    assert package.version == project["version"]
    found = {one.name: one.value for one in package.entry_points.select(group=group)}
    assert found == entries
    assert (tmp_path / "recarena.pth").read_text() == f"{folder}\n"


def test_the_images_of_the_servers_have_the_modules_that_they_import() -> None:
    for image, start in (
        ("Mlflow", {"utils.mlflow_server", "utils.ftp_artifacts"}),
        ("Ftp", {"utils.ftp_server"}),
    ):
        copied = set(re.findall(r"src/utils/(\w+)\.py", (ROOT / f"Dockerfile{image}").read_text()))
        assert {f"utils.{name}" for name in copied} == {"utils.__init__"} | imported(start)


def imported(modules: set[str]) -> set[str]:
    """The modules of `utils` and all those of `utils` that they import, however deep."""
    found: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            text = (ROOT / f"src/{module.replace('.', '/')}.py").read_text()
            todo += re.findall(r"^\s*from (utils\.\w+) import", text, flags=re.MULTILINE)
    return found


def test_a_package_that_is_not_locked_is_named(install: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"nonsense is not in poetry\.lock"):
        install.needed({"package": []}, ["nonsense"])


def test_a_project_says_what_it_needs(install: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\ndependencies = ["numba>=0.62,<0.69", "numpy ; os_name != \'x\'"]')
    assert install.wanted(["--of", str(file)]) == ["numba", "numpy"]
    assert install.wanted(["a", "b"]) == ["a", "b"]


def test_what_has_no_wheel_is_known(install: ModuleType) -> None:
    lock = tomllib.loads((ROOT / "poetry.lock").read_text())
    without = [
        one["name"]
        for one in lock["package"]
        if "main" in one["groups"] and not any(f["file"].endswith(".whl") for f in one["files"])
    ]
    assert without == [install.WITHOUT_WHEEL]


def test_the_service_of_a_file_with_secrets_gets_no_plain_one() -> None:
    secret = yaml.safe_load((ROOT / "docker-compose.secrets.yml").read_text())["services"]
    plain = {
        name: [key for key in ("POSTGRES_PASSWORD", "FTP_USER_PASS") if key in one["environment"]]
        for name, one in SERVICES.items()
    }
    assert secret.keys() == {name for name, keys in plain.items() if keys}
    for name, service in secret.items():
        (key,) = plain[name]
        assert service["environment"] == {
            key: "",
            f"{key}_FILE": f"/run/secrets/{key.lower()}",
        }
