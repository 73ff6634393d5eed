"""Images: pinned, not run as root, labelled; and, where one has been built, what is in it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from argo_pods import InContainer
from lamflow.ops.label import LabelParams, label

from lamflow.config.run import Resources
from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.engine.dflow_graph import task_json
from lamflow.engine.graph import Graph, Source
from lamflow.engine.manifest import ArgoOptions, render
from lamflow.learn.frames import write_frames

ROOT = Path(__file__).parents[2]
IMAGES = sorted((ROOT / "images").glob("*.Containerfile"))
NAMES = ["base", "gpu", "label-cp2k", "label-espresso", "lammps"]
IMAGE = os.environ.get("LAMFLOW_TEST_IMAGE", "")
ESPRESSO = os.environ.get("LAMFLOW_TEST_ESPRESSO", "")
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
    for word in ("title", "version", "revision", "licenses"):
        assert f"org.opencontainers.image.{word}=" in text
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


@pytest.mark.slow
@pytest.mark.skipif(
    not ESPRESSO or not shutil.which("podman"), reason="LAMFLOW_TEST_ESPRESSO or podman is absent"
)
def test_the_espresso_image_labels_as_a_pod_does(tmp_path: Path) -> None:
    settings = {
        "pseudopotentials": {"Al": "Al.pz-vbc.UPF"},
        "pseudopotential_folder": "/usr/share/espresso/pseudo",
        "cutoff_eV": 300.0,
        "density_cutoff_eV": 1200.0,
        "kpoint_spacing_per_A": 0.7,
    }
    graph = Graph("learn", "al")
    params = LabelParams(engine="espresso", settings=settings, share=0, of=1, walltime_s=600.0)
    step = graph.add("label", label, params, {"chosen": Source("/chosen", "0" * 64)})
    resources = {"label": Resources(image=ESPRESSO)}
    rendered = render(graph, ArgoOptions(resources=resources))["spec"]["templates"]
    template = next(template for template in rendered if template["name"] == "label")
    assert template["script"]["image"] == ESPRESSO
    root = tmp_path / "pod"
    cell = np.full((2, 3, 3), 2.025) - np.diag([2.025] * 3)  # fcc Al of 4.05 Å, and one stretched
    cell[1] *= 1.02
    al = System("al", ("Al",), np.zeros((2, 1), dtype=np.int64), np.zeros((2, 1, 3)), cell,
                None, None, None, np.arange(2))  # fmt: skip
    write_frames(root / "inputs/chosen", [al])
    (root / "inputs/task.json").write_text(task_json(step))
    status, log = InContainer(ESPRESSO)(template, root)
    assert status == 0, log
    told = json.loads((root / "outputs/labels/labelled.json").read_text())
    assert (told["asked"], told["labelled"]) == (2, 2), told
    (labelled,) = Dataset.open(root / "outputs/labels/frames").systems()
    assert np.ptp(labelled.energies) > 0.001  # the stretched one has another energy
    assert np.abs(labelled.forces).max() < 1e-3  # by symmetry


def podman(*words: str) -> str:
    ended = subprocess.run(["podman", *words], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
