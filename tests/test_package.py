"""The package as it is published: what it holds, and that it works with PyTorch alone."""

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
LARGEST = 200_000
OTHER_LIBRARIES = ("cv2", "matplotlib", "pandas", "scipy", "sklearn", "timm", "transformers")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with wheel and sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def sdist(built) -> Path:
    (file,) = built.glob("*.tar.gz")
    return file


def test_the_packages_are_small_and_pure(wheel, sdist):
    assert wheel.name.endswith("-py3-none-any.whl")
    assert max(wheel.stat().st_size, sdist.stat().st_size) < LARGEST
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"dgmp/py.typed", "dgmp/pooling/layers.py", "dgmp/integrations/__init__.py"} <= names
    assert {name.split("/")[0] for name in names} == {
        "dgmp",
        f"dgmp-{VERSION}.dist-info",
    }
    with tarfile.open(sdist) as archive:
        kept = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "CITATION.cff", "tests/dgmp/pooling/test_layers.py"} <= kept
    assert not any(
        name.startswith(("pipeline/", "data/", "reports/", ".")) for name in kept - {".gitignore"}
    )


def test_the_metadata_ask_for_pytorch_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"dgmp-{VERSION}.dist-info/METADATA").decode()
    metadata = email.message_from_string(text)
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Version"] == VERSION
    needed = [one for one in metadata.get_all("Requires-Dist") if "extra ==" not in one]
    assert [re.match(r"[\w-]+", one)[0] for one in needed] == ["torch"]


def test_there_is_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## ([\d.]+)", changes, re.MULTILINE)[1]
    assert citation["version"] == newest == VERSION


def test_readme_code_runs_with_the_wheel_and_pytorch_alone(wheel, tmp_path):
    folder = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    check = (
        "import sys, dgmp\n"
        f"assert dgmp.__file__.startswith({str(folder)!r})\n"
        f"assert not set(sys.modules) & {set(OTHER_LIBRARIES)!r}\n"
        f"assert dgmp.__version__ == {VERSION!r}\n"
        "assert descriptor.shape == (8, 2048)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code[1] + check],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(folder)},
        check=True,
    )


@pytest.mark.slow
def test_the_tests_of_the_sdist_need_the_sdist_alone(sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/dgmp/pooling"]
    found = subprocess.run(
        [*command, "--collect-only"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert int(re.search(r"(\d+) tests collected", found.stdout)[1]) > 50


def test_the_release_workflow_is_a_workflow():
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    publish = workflow["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert set(publish["needs"]) == set(workflow["jobs"]) - {"publish"}
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key `on` as true
