"""Fine-tuning as a user runs it, tiny: EMT alloys, energies of the new data shifted by eV."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import finish, lamflow

from lamflow.data.card import make_card, write_card
from lamflow.files import sha256_file
from lamflow.testing.trainer import emt_system, write_dataset
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.protocol import TrainSettings

pytestmark = pytest.mark.slow

SMALL = {
    "descriptor": {"rcut": 4.5, "sel": 40, "neuron": [4, 8], "axis_neuron": 4},
    "fitting_net": {"neuron": [16, 16]},
}
SHIFT = 3.0  # eV/atom: another functional
CONFIG = """\
kind: finetune
name: other
seed: 1
model: big
datasets: [{name: other, path: new, test: new_test}]
replay: {datasets: [{name: cuau, path: old, test: old_test}], frames: 20}
compare_scratch: true
train: {steps: 150, batch: 4, threads: 1}
"""


def write(folder: Path, frames: int, seed: int, *, elements: Any = ("Cu", "Au"), shift: float = 0):
    system = emt_system(frames, seed, elements)
    system = replace(system, energies=system.energies + shift * system.natoms)
    write_card(folder, make_card(write_dataset(folder, system), folder.name, dft="EMT"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with two heads, data of one of them and new data; the run has been done."""
    folder = tmp_path_factory.mktemp("finetune")
    write(folder / "heads/cuau/train", 40, 1)
    write(folder / "heads/agau/train", 40, 2, elements=("Ag", "Au"))
    write(folder / "old", 40, 1)
    write(folder / "old_test", 20, 3)
    write(folder / "new", 16, 4, shift=SHIFT)
    write(folder / "new_test", 20, 5, shift=SHIFT)
    heads = {name: folder / "heads" / name for name in ("cuau", "agau")}
    settings = TrainSettings(300, batch=4, save_every=1000, threads=1)
    model = presets.load("dpa1-tiny", SMALL)
    job = make_job(heads, dict.fromkeys(heads, 1.0), model, settings)
    export_model(job, DeepmdTrainer().train(job, folder / "work"), folder / "big", "big")
    (folder / "finetune.yaml").write_text(CONFIG)
    submit(folder)
    return folder


def submit(folder: Path, *more: str) -> dict[str, Any]:
    command = ("submit", "finetune.yaml", "--json", *more)
    out = finish(lamflow(*command, cwd=folder, cache=folder / "cache"))
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert told["status"] == "succeeded"
    return told


@pytest.fixture(scope="module")
def result(base: Path) -> Path:
    return base / "lamflow-runs/other/result"


@pytest.fixture(scope="module")
def metrics(result: Path) -> dict[str, Any]:
    return dict(json.loads((result / "metrics.json").read_text()))


def test_what_is_known_helps(base: Path, metrics: dict[str, Any]) -> None:
    head = metrics["heads"]["other"]
    (table,) = (base / "lamflow-runs/other/steps").glob("zero-shot-other-*/outputs/table")
    tried = json.loads(table.read_text())["heads"]
    assert set(tried) == {"cuau", "agau"}
    assert head["begun_with"] == min(tried, key=lambda name: tried[name]["force_rmse_meV_per_A"])
    forces = {
        "baseline": head["baseline"]["force_rmse_meV_per_A"],
        "zero-shot": head["zero_shot"]["force_rmse_meV_per_A"],
        "tuned": head["force_rmse_meV_per_A"],
        "scratch": head["scratch"]["force_rmse_meV_per_A"],
    }
    assert forces["zero-shot"] < 0.8 * forces["baseline"]
    assert forces["tuned"] < forces["zero-shot"]
    assert forces["tuned"] < forces["scratch"]


def test_references_are_refitted(metrics: dict[str, Any]) -> None:
    """The labels are 3 eV/atom away from the pretraining data's."""
    head = metrics["heads"]["other"]
    assert head["zero_shot"]["energy_rmse_meV_per_atom"] < 0.1 * 1000 * SHIFT
    assert head["energy_rmse_meV_per_atom"] < 0.1 * 1000 * SHIFT


def test_replayed_head_is_kept_and_tested(metrics: dict[str, Any], result: Path) -> None:
    old = metrics["old_heads"]["cuau"]
    assert old["with"] == "cuau"
    before, after = (old[when]["force_rmse_meV_per_A"] for when in ("before", "after"))
    assert after < 1.5 * before
    assert set(json.loads((result / "model/card.json").read_text())["heads"]) == {"other", "cuau"}


def test_cards_name_the_pretrained_model(base: Path, result: Path) -> None:
    parents = {"big": sha256_file(base / "big/card.json")}
    assert json.loads((result / "model/card.json").read_text())["parents"] == parents
    assert json.loads((result / "card.json").read_text())["pretrained"] == parents


def test_report_shows_before_and_after(result: Path) -> None:
    page = (result / "report.html").read_text()
    for words in ("What the model knew", "from scratch", "begun with", "Tested with", "itself"):
        assert words in page
    assert "<script" not in page


def test_submitting_again_does_nothing_twice(base: Path) -> None:
    steps = base / "lamflow-runs/other/steps"
    before = {path: path.stat().st_mtime_ns for path in steps.glob("*/outputs/step.json")}
    submit(base)
    assert before == {path: path.stat().st_mtime_ns for path in steps.glob("*/outputs/step.json")}


def test_replay_that_cannot_be_is_refused(base: Path) -> None:
    """Better no model than one that was to remember and could not."""
    process = lamflow(
        "submit", "finetune.yaml", "--name", "refused", "--set", "replay.frames=500",
        cwd=base, cache=base / "cache",
    )  # fmt: skip
    _, err = process.communicate(timeout=600)
    assert process.returncode == 3
    assert "frames share an element with the new data" in err
