"""Wrong configs of `kind: coverage`, and that labels are not needed."""

from pathlib import Path

import pytest
from lamflow.workflows.kinds import build_graph
from model_folders import write_model_folder
from wrong_configs import write_system

from lamflow.config.checks import load_checked_config
from lamflow.errors import InputError

BASE = """\
kind: coverage
name: new
model: model
training: [{name: water, path: known}]
datasets:
  - {name: water, path: water}
"""


def load(folder: Path, text: str = BASE):
    for name in ("known", "water"):
        write_system(folder / name, ["H", "O"], energy=None if name == "water" else -1.0)
    write_model_folder(folder / "model", "water")
    (folder / "coverage.yaml").write_text(text)
    return load_checked_config(folder / "coverage.yaml").config


def test_unlabelled_datasets_are_taken_and_compared_side_by_side(tmp_path: Path) -> None:
    text = BASE + "  - {name: more, path: known}\n"
    graph = build_graph(load(tmp_path, text))
    names = [step.name for step in graph.steps]
    assert names == ["clean-water", "clean-more", "coverage-water", "coverage-more", "report"]
    assert set(graph.results) >= {"coverage.json", "subset/water", "subset/more", "report.html"}


def test_a_committee_is_a_list(tmp_path: Path) -> None:
    config = load(tmp_path, BASE.replace("model: model", "model: [model, model]"))
    assert list(build_graph(config).steps[1].groups["models"]) == ["1", "2"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model: model", "model: modle", r"coverage.yaml:3: model.*there is no model at"),
        ("model: model", "model: []", r"coverage.yaml:3: model: "),
        ("model: model\n", "", r"model: is missing; for example model: lamflow-runs"),
        ("name: new", "name: new\ncoverage: {confidence: 2.0}", r"confidence: 2.0 is given"),
        ("name: new", "name: new\ncoverage: {subset: 0}", r"coverage.subset: 0 is given"),
        ("path: water}", "path: watre}", r"no such file or folder; did you mean 'water'"),
        ("name: new", "name: new\ntrainng: []", r"trainng: unknown key; did you mean 'training'"),
    ],
)
def test_wrong_configs_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, BASE.replace(old, new))


def test_training_data_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: training: no such file or folder"):
        build_graph(load(tmp_path, BASE.replace("path: known", "path: nowhere")))
