"""An evaluation as a user runs it: a model trained for a few steps, real sets, real properties."""

import json
from pathlib import Path

import pytest
from runs import finish, lamflow

from lamflow.data.card import make_card, write_card
from lamflow.data.split import split_dataset
from lamflow.registry.models import push_model
from lamflow.registry.registry import Registry
from lamflow.store.local import LocalStore
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.protocol import TrainSettings

DATA = Path(__file__).parents[2] / "workflows/data"
CONFIG = f"""\
kind: evaluate
name: exam
model: model
datasets:
  - {{name: nbmotaw, path: data/test}}
  - {{name: strained, path: {DATA}/nbmotaw, test: data/test, head: nbmotaw, references: refit}}
properties:
  - name: w-bcc
    crystal: {{element: W, structure: bcc, a: 3.17}}
    tests: [volume, {{property: C11, reference: 1, tolerance: 0}}, survival, speed]
    md: {{steps: 4}}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    split_dataset(DATA / "nbmotaw", folder / "data", {"train": 0.8, "test": 0.2}, seed=1)
    for part in ("train", "test"):
        write_card(folder / "data" / part, make_card(folder / "data" / part, part))
    settings = TrainSettings(steps=60, batch="auto:16", seed=1)
    job = make_job(
        {"nbmotaw": folder / "data"}, {"nbmotaw": 1.0}, presets.load("dpa1-tiny", {}), settings
    )
    result = DeepmdTrainer().train(job, folder / "work")
    export_model(job, result, folder / "model", "tiny")
    (folder / "evaluate.yaml").write_text(CONFIG)
    finish(lamflow("submit", "evaluate.yaml", "--json", cwd=folder))
    return folder


@pytest.fixture(scope="module")
def result(folder: Path) -> Path:
    return folder / "lamflow-runs/exam/result"


def test_errors_have_the_form_of_pretraining(result: Path) -> None:
    metrics = json.loads((result / "metrics.json").read_text())
    own, refitted = metrics["heads"]["nbmotaw"], metrics["heads"]["strained"]
    assert (own["head"], own["zero_shot"]) == ("nbmotaw", False)
    assert (refitted["zero_shot"], refitted["reference_frames"]) == (True, 300)
    assert own["force_rmse_meV_per_A"] == pytest.approx(refitted["force_rmse_meV_per_A"])
    assert own["virial_rmse_meV_per_atom"] > 0
    assert own["baseline"]["force_rmse_meV_per_A"] > 0
    assert metrics["weighted"]["force_rmse_meV_per_A"] == pytest.approx(own["force_rmse_meV_per_A"])


def test_properties_are_values_with_verdicts(result: Path) -> None:
    values = {one["name"]: one for one in json.loads((result / "properties.json").read_text())}
    assert list(values) == ["volume", "C11", "survival", "speed"]
    assert not values["C11"]["passed"]
    assert all(one["value"] is not None or one["reason"] for one in values.values())


def test_page_and_details_name_elements_and_worst_frames(result: Path) -> None:
    details = json.loads((result / "details.json").read_text())["nbmotaw"]
    assert {row["element"] for row in details["elements"]} == {"Nb", "Mo", "Ta", "W"}
    assert len(details["worst"]["force"]) == 10
    page = (result / "report.html").read_text()
    assert "Worst frames" in page
    assert "<script" not in page


def test_the_registry_takes_errors_and_properties(folder: Path, result: Path) -> None:
    registry = Registry(LocalStore(folder / "registry"))
    content = push_model(registry, folder / "model", "open/tiny", run=result.parent).content
    assert {(one.test_set, one.head) for one in content.results} == {
        ("nbmotaw", "nbmotaw"), ("strained", "nbmotaw"),
    }  # fmt: skip
    assert [one.name for one in content.properties] == ["volume", "C11", "survival", "speed"]
    assert all(one.sha256 for one in content.results)


def test_a_change_of_one_test_redoes_only_that(folder: Path) -> None:
    change = ("--set", "datasets.strained.references=keep")
    finish(lamflow("submit", "evaluate.yaml", "--json", *change, cwd=folder))
    state = json.loads(finish(lamflow("status", "exam", "--json", cwd=folder)))
    redone = {step["name"] for step in state["steps"] if not step["cached"]}
    assert redone == {"test-strained", "report"}
