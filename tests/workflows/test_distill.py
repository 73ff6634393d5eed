"""Distillation as a user runs it, tiny; the first student is starved and the loop mends it."""

import json
from pathlib import Path
from typing import Any

import pytest
from runs import finish, lamflow

from lamflow.deploy.package import read_deployment_card
from lamflow.learn.committee import train_member
from lamflow.testing.trainer import write_dataset
from lamflow.train.protocol import TrainSettings

pytestmark = pytest.mark.slow

TEACHER = {
    "descriptor": {
        "type": "se_e2_a", "rcut": 4.5, "rcut_smth": 3.0, "sel": [60], "neuron": [8, 16],
        "axis_neuron": 4, "type_one_side": True, "precision": "float32",
    },
    "fitting_net": {"type": "ener", "neuron": [16, 16], "precision": "float32"},
}  # fmt: skip
CONFIG = """\
kind: distill
name: cu
seed: 1
teacher: teacher
student: {size: nano, descriptor: {neuron: [4, 8], sel: 60}, fitting_net: {neuron: [16, 16]}}
domain: {structures: [cu.xyz], temperatures_K: [900]}
goal: {force_rmse: 1}
budget: {iterations: 2}
train: {steps: 150, continued_steps: 300, batch: 2, threads: 1}
explore: {steps: 80, timestep: 2.0, save_every: 2}
start: {frames: 4, rattle: 0.01, strain: 0.0, teacher_runs: 0}
select: {labels: 30, force_error: 0.05}
test: labels/validation
proof: {nve_ps: 0.2, nvt_ps: 0.2, teacher_ps: 0.1, sizes: [8]}
"""


def emt_copper(frames: int, seed: int) -> Any:
    """Rattled copper with EMT's labels."""
    import numpy as np
    from ase.build import bulk
    from ase.calculators.emt import EMT

    from lamflow.data.frames import System

    every = []
    for number in range(frames):
        atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
        atoms.rattle(0.05 + 0.15 * number / frames, seed=seed + number)
        atoms.calc = EMT()
        every.append(atoms)
    stress = np.array([a.get_stress(voigt=False) * a.get_volume() for a in every])
    return System(
        name="cu",
        type_map=("Cu",),
        types=np.zeros((frames, 8), dtype=np.int64),
        coords=np.array([a.positions for a in every]),
        cells=np.array([a.cell.array for a in every]),
        energies=np.array([a.get_potential_energy() for a in every]),
        forces=np.array([a.get_forces() for a in every]),
        virials=-stress,
        origins=np.arange(frames),
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ase.build import bulk
    from ase.io import write

    from lamflow.data.card import make_card, write_card

    folder = tmp_path_factory.mktemp("distill")
    for seed, part in enumerate(("train", "validation")):
        data = write_dataset(folder / "labels" / part, emt_copper(40 - 30 * seed, 1000 * seed))
        write_card(data, make_card(data, part, dft="EMT"))
    (folder / "scratch").mkdir()
    train_member(
        folder / "labels", folder / "teacher", folder / "scratch", name="teacher", model=TEACHER,
        type_map=["Cu"], settings=TrainSettings(steps=400, batch=2, threads=1),
    )  # fmt: skip
    write(folder / "cu.xyz", bulk("Cu", cubic=True).repeat((2, 1, 1)), format="extxyz")
    (folder / "distill.yaml").write_text(CONFIG)
    out = finish(lamflow("submit", "distill.yaml", "--json", cwd=folder))
    assert json.loads(out.splitlines()[-1])["status"] == "succeeded"
    return folder / "lamflow-runs/cu/result"


def trial(result: Path, iteration: int) -> dict[str, Any]:
    (file,) = result.parent.glob(f"steps/iter-{iteration:02d}-pick-*/outputs/chosen/trial.json")
    return dict(json.loads(file.read_text()))


def test_a_starved_student_is_mended_by_its_own_trajectories(result: Path) -> None:
    first, second = trial(result, 1), trial(result, 2)
    assert not first["met"]
    assert second["force_rmse_meV_per_A"] < 0.7 * first["force_rmse_meV_per_A"]
    history = json.loads((result / "state/state.json").read_text())["history"]
    assert history[0]["frames"]["train"] <= 4 < history[1]["frames"]["train"]
    assert history[1]["asked"] == history[1]["labelled"] <= 30


def test_the_proof_is_measured(result: Path) -> None:
    metrics = json.loads((result / "metrics.json").read_text())
    assert set(metrics["heads"]) == {"student vs DFT", "teacher vs DFT", "student vs teacher"}
    (one,) = metrics["dynamics"].values()
    assert one["nvt"][0]["survived_ps"] == pytest.approx(0.2)
    assert one["nve"]["drift_meV_per_atom"] < 1
    assert 0 < one["rdf"]["overlap"] <= 1
    for whose in ("teacher", "student"):  # taught too little to be sure of a minimum
        eos = one["eos"][whose]
        assert "reason" in eos or 8 < eos["volume_A3_per_atom"] < 16
    assert [row["atoms"] for row in metrics["speed"]["deployed"]] == [8]
    assert metrics["summary"]["speedup"] > 0


def test_deployment_and_report_are_whole(result: Path) -> None:
    card = read_deployment_card(result / "deploy")
    assert card.compressed
    assert card.masses == pytest.approx({"Cu": 63.546})
    page = (result / "report.html").read_text()
    for word in ("Stability", "student, deployed", "Radial distribution", "Loop"):
        assert word in page
    assert "<script" not in page
