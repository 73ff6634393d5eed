"""A coverage run as a user runs it: a committee trained for a few steps, known and new frames."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import finish, lamflow

from lamflow.data.dataset import Dataset
from lamflow.data.split import split_dataset
from lamflow.data.writer import DatasetWriter
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.protocol import TrainSettings

DATA = Path(__file__).parents[2] / "workflows/data"
CONFIG = f"""\
kind: coverage
name: new
model: [model-1, model-2]
training: [{{name: nbmotaw, path: data}}]
datasets:
  - {{name: same, path: data/test}}
  - {{name: torn, path: torn}}
  - {{name: methanol, path: {DATA}/methanol_test}}
coverage: {{training_frames: 60, calibration_frames: 60, subset: 5}}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coverage")
    parts = {"train": 0.6, "validation": 0.2, "test": 0.2}
    split_dataset(DATA / "nbmotaw", folder / "data", parts, seed=1)
    model = presets.load("dpa1-tiny", {})
    for seed in (1, 2):
        settings = TrainSettings(steps=30, batch="auto:16", seed=seed)
        job = make_job({"nbmotaw": folder / "data"}, {"nbmotaw": 1.0}, model, settings)
        trained = DeepmdTrainer().train(job, folder / f"work-{seed}")
        export_model(job, trained, folder / f"model-{seed}", "tiny")
    rng = np.random.default_rng(3)
    with DatasetWriter(folder / "torn") as writer:
        for system in Dataset.open(folder / "data/test").systems():
            coords = system.coords + rng.normal(scale=0.5, size=system.coords.shape)
            writer.add(replace(system, coords=coords, energies=None, forces=None, virials=None))
    (folder / "coverage.yaml").write_text(CONFIG)
    brief = json.loads(finish(lamflow("submit", "coverage.yaml", "--json", cwd=folder)))
    assert brief["status"] == "succeeded"
    return Path(brief["result"])


@pytest.fixture(scope="module")
def found(result: Path) -> dict:
    return json.loads((result / "coverage.json").read_text())["datasets"]


def test_frames_held_out_of_training_are_covered(found: dict) -> None:
    same = found["same"]
    assert same["verdict"] == "covered"
    assert same["interval"][0] < same["fraction_covered"] < same["interval"][1]
    assert {"error", "energy", "deviation", "distance"} <= set(same["signals"])
    assert same["next"]["step"] == "nothing"
    assert same["calibration"]["held_out"] is True
    assert same["calibration"]["deviation"]["frames"] > 30


def test_unlabelled_frames_with_displaced_atoms_are_not_covered(found: dict) -> None:
    torn = found["torn"]
    assert torn["verdict"] in ("borderline", "new")  # by so short a training
    assert torn["interval"][1] < found["same"]["interval"][0]
    assert torn["labelled"] == 0
    assert torn["signals"] == ["deviation", "distance"]
    assert torn["new_elements"] == []
    assert (torn["next"]["step"], torn["next"]["frames"]) == ("label", 5)


def test_elements_that_the_model_does_not_know_are_new(found: dict) -> None:
    methanol = found["methanol"]
    assert methanol["verdict"] == "new"
    assert methanol["new_elements"] == ["H", "C", "O"]
    assert methanol["counts"]["new"] == methanol["frames"] == 32


def test_every_frame_has_a_line_and_a_reason(result: Path, found: dict) -> None:
    lines = [json.loads(line) for line in (result / "frames.jsonl").read_text().splitlines()]
    assert len(lines) == sum(one["frames"] for one in found.values())
    for line in lines:
        assert bool(line["why"]) == (line["verdict"] != "covered"), line
    whys = [line["why"] for line in lines if line["dataset"] == "methanol"]
    assert set(whys) == {"the model was not trained on H, C, O"}


def test_subset_is_a_dataset_of_the_frames_that_the_lines_name(result: Path, found: dict) -> None:
    subset = Dataset.open(result / "subset/torn/frames")
    assert subset.nframes == found["torn"]["subset"]["frames"] == 5
    lines = [json.loads(line) for line in (result / "frames.jsonl").read_text().splitlines()]
    assert sum(line["subset"] for line in lines if line["dataset"] == "torn") == 5


def test_report_stands_alone(result: Path) -> None:
    page = (result / "report.html").read_text()
    assert "torn is " in page
    assert "Map of torn in descriptor space" in page
    assert "the model was not trained on H, C, O" in page
    assert "<script" not in page
