"""Images: pinned, not run as root, labelled; and, where one has been built, what is in it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = sorted((ROOT / "images").glob("*.Containerfile"))
NAMES = ["base", "gpu", "label-cp2k", "label-espresso", "lammps"]
IMAGE = os.environ.get("LAMFLOW_TEST_IMAGE", "")
built = pytest.mark.skipif(
    not IMAGE or not shutil.which("podman"), reason="LAMFLOW_TEST_IMAGE or podman is absent"
)


@pytest.mark.parametrize("file", IMAGES, ids=lambda file: file.stem)
def test_images_are_pinned_labelled_and_not_run_as_root(file: Path) -> None:
    text = file.read_text()
    (base,) = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert re.search(r":\d+\.\d+\.\d+", base)
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users[-1] == "1000:1000"
    for label in ("title", "version", "revision", "licenses"):
        assert f"org.opencontainers.image.{label}=" in text
    for packages in re.findall(r"install --yes --no-install-recommends (.*) \\\n", text):
        assert all("=" in package for package in packages.split()), packages


def test_all_images_are_there_and_built_by_the_script() -> None:
    assert [file.stem for file in IMAGES] == NAMES
    script = (ROOT / "scripts/images.sh").read_text()
    assert f"set -- {' '.join(['base', 'gpu', 'label-espresso', 'label-cp2k', 'lammps'])}" in script


def test_every_version_is_pinned_once() -> None:
    lines = (ROOT / "images/constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+", pin) for pin in pins)
    names = [pin.partition("==")[0] for pin in pins]
    assert len(set(names)) == len(names)
    assert {"deepmd-kit", "torch", "pydflow", "numpy"} <= set(names)


@built
def test_an_image_bears_its_version_and_runs_as_a_user_without_rights() -> None:
    facts = json.loads(podman("image", "inspect", IMAGE))[0]
    assert facts["Config"]["User"] == "1000:1000"
    assert facts["Config"]["Labels"]["org.opencontainers.image.title"].startswith("lamflow")
    said = podman("run", "--rm", "--read-only", "--network=none", IMAGE, "lamflow", "--version")
    assert said.split()[1] == facts["Config"]["Labels"]["org.opencontainers.image.version"]


@built
def test_operators_load_in_the_image() -> None:
    script = (
        "import importlib, pkgutil, lamflow.ops as ops\n"
        "for module in pkgutil.iter_modules(ops.__path__):\n"
        "    importlib.import_module(f'lamflow.ops.{module.name}')\n"
        "    print(module.name)\n"
    )
    said = podman(
        "run", "--rm", "--read-only", "--network=none", IMAGE, "python3", "-I", "-c", script
    )
    assert {"clean", "split", "pretrain", "evaluate", "report"} <= set(said.split())


def podman(*words: str) -> str:
    ended = subprocess.run(["podman", *words], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
