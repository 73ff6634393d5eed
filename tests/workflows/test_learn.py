"""Concurrent learning as a user runs it, tiny: copper, EMT for DFT, real training and MD."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import finish, kill_when, lamflow

from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.learn.frames import write_frames

pytestmark = pytest.mark.slow

CONFIG = """\
kind: learn
name: cu
seed: 1
structures: [cu.xyz]
test: test/frames
model:
  preset: dpa1-tiny
  descriptor: {rcut: 4.5, sel: 40, neuron: [4, 8], axis_neuron: 4}
  fitting_net: {neuron: [16, 16]}
train: {steps: 300, committee: 2, threads: 1, batch: 4, learning_rate: 5.0e-3}
label: {engine: emt, workers: 2}
explore:
  - {name: nvt800, settings: {steps: 60, temperature_K: 800, timestep_fs: 3.0, save_every: 3}}
select: {labels: 10, force_error: 0.2}
start: {frames: 10, rattle: 0.02, strain: 0.0}
budget: {labels: 30, iterations: 2}
"""
MOMENTS = (
    "start-draw", "start-label-1", "start-gather", "start-train-1", "start-check",
    "iter-01-explore-nvt800", "iter-01-select", "iter-01-label-2", "iter-01-train-2",
    "iter-01-check",
)  # fmt: skip


def prepare(folder: Path) -> None:
    """Write the config, a start, and hot frames with true labels to test on."""
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.io import write

    start = bulk("Cu", cubic=True)
    write(folder / "cu.xyz", start, format="extxyz")
    (folder / "learn.yaml").write_text(CONFIG)
    frames = []
    for seed in range(16):
        atoms = start.copy()
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        frames.append(atoms)
    stress = np.stack([a.get_stress(voigt=False) * a.get_volume() for a in frames])
    system = System(
        "hot", ("Cu",), np.zeros((16, 4), dtype=np.int64), np.stack([a.positions for a in frames]),
        np.stack([a.cell.array for a in frames]),
        np.array([a.get_potential_energy() for a in frames]),
        np.stack([a.get_forces() for a in frames]), -stress, np.arange(16),
    )  # fmt: skip
    write_frames(folder / "test", [system])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learn")
    prepare(folder)
    out = finish(lamflow("submit", "learn.yaml", "--json", cwd=folder, cache=folder / "cache"))
    assert json.loads(out.splitlines()[-1])["status"] == "succeeded"
    return folder


@pytest.fixture(scope="module")
def result(base: Path) -> Path:
    return base / "lamflow-runs/cu/result"


def history(result: Path) -> list[dict[str, Any]]:
    return list(json.loads((result / "state/state.json").read_text())["history"])


def selection(run: Path, iteration: int) -> dict[str, Any]:
    (file,) = run.glob(f"steps/iter-{iteration:02d}-select-*/outputs/chosen/selection.json")
    return dict(json.loads(file.read_text()))


def test_error_drops_as_labels_are_added(result: Path) -> None:
    rounds = history(result)
    assert [one["iteration"] for one in rounds] == [0, 1, 2]
    errors = [one["errors"]["force_rmse_meV_per_A"] for one in rounds]
    assert errors[-1] < 0.9 * errors[0]
    labels = [sum(one["frames"].values()) for one in rounds]
    assert labels[0] == 10
    assert 10 < labels[1] <= 20
    assert labels[1] < labels[2] <= 30


def test_counts_add_up(result: Path) -> None:
    for one in history(result)[1:]:
        counts, ends = one["selection"], one["trajectories"]
        explored = counts["accurate"] + counts["candidate"] + counts["failed"]
        assert explored > 0
        assert sum(ends.values()) == 1
        assert one["asked"] == counts["picked"] == one["labelled"] + sum(one["rejected"].values())
    bought = sum(one["asked"] for one in history(result))
    assert sum(Dataset.open(result / f"labels/{p}").nframes for p in ("train", "validation")) == (
        bought
    )


def test_levels_are_calibrated_on_labelled_frames(result: Path) -> None:
    for one in history(result):
        slope, (low, high) = one["calibration"]["slope"], one["levels"]
        assert low * slope == pytest.approx(0.2)
        assert high * slope == pytest.approx(1.0)
    assert history(result)[0]["calibration"]["method"] == "ratio"  # two frames held out: few
    assert history(result)[2]["calibration"]["frames"] > 2


def test_report_shows_the_loop(result: Path) -> None:
    page = (result / "report.html").read_text()
    for word in ("Calibration", "accurate", "Structures picked", "the budget of iterations"):
        assert word in page
    assert "<script" not in page
    assert json.loads((result / "metrics.json").read_text())["heads"]["model"]["frames"] == 16


def test_a_bigger_budget_goes_on_from_there(base: Path, result: Path) -> None:
    """One iteration more is done; those before are left as they are."""
    before = {p.name for p in (base / "lamflow-runs/cu/steps").iterdir()}
    more = ("--set", "budget.iterations=3", "--json")
    finish(lamflow("submit", "learn.yaml", *more, cwd=base, cache=base / "cache"))
    after = {p.name for p in (base / "lamflow-runs/cu/steps").iterdir()}
    new = {name.rpartition("-")[0] for name in after - before}
    assert all(name.startswith("iter-03") or name == "report" for name in new)
    rounds = history(result)
    assert [one["iteration"] for one in rounds] == [0, 1, 2, 3]
    assert sum(one["asked"] for one in rounds) <= 30


def test_kill_9_at_ten_moments_gives_the_same_selection(base: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    run, cache = tmp_path / "lamflow-runs/cu", tmp_path / "cache"
    once = ("submit", "learn.yaml", "--set", "budget.iterations=1")
    for moment in MOMENTS:
        process = lamflow(*once, cwd=tmp_path, cache=cache)
        kill_when(process, run, lambda name=moment: any(run.glob(f"steps/{name}-*/state.json")))  # type: ignore[misc]
    finish(lamflow(*once, cwd=tmp_path, cache=cache))
    same, undisturbed = selection(run, 1), selection(base / "lamflow-runs/cu", 1)
    assert same["counts"] == undisturbed["counts"]
    assert same["picked"] == undisturbed["picked"]
    end, whole = history(run / "result")[1], history(base / "lamflow-runs/cu/result")[1]
    assert end["errors"] == whole["errors"]
    assert len(list(cache.glob("*/*.json"))) == sum(  # no label was bought twice
        one["asked"] for one in history(run / "result")
    )
