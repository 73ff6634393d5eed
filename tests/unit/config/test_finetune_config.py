"""What a fine-tuning config may ask for."""

from pathlib import Path

import pytest
from lamflow.workflows.kinds import build_graph
from model_folders import write_model_folder
from wrong_configs import write_data

from lamflow.config.checks import load_checked_config
from lamflow.engine.graph import Graph
from lamflow.errors import InputError

CONFIG = """\
kind: finetune
name: new
model: big
datasets:
  - {name: water, path: data/water}
  - {name: oxide, path: data/tio2, test: data/tio2_test}
replay: {datasets: [{name: old, path: data/tio2_test}], frames: 2}
train: {steps: 20}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_data(tmp_path)
    write_model_folder(tmp_path / "big", "old", "older", type_map=("H", "O", "Ti"))
    path = tmp_path / "finetune.yaml"
    path.write_text(CONFIG)
    return path


def graph(file: Path, *changes: str) -> Graph:
    return build_graph(load_checked_config(file, changes, fetch=Path).config)


def step(graph: Graph, name: str):
    return next(step for step in graph.steps if step.name == name)


def test_all_new_data_and_the_replayed_head_are_trained_together(file: Path) -> None:
    train = step(graph(file), "train")
    assert set(train.groups["data"]) == {"water", "oxide"}
    assert set(train.groups["replay"]) == {"old"}
    assert train.params.weights == {"water": 1.0, "oxide": 1.0, "old": 0.5}
    assert train.params.heads == {"water": "best", "oxide": "best"}


def test_a_replayed_head_is_tested_on_what_is_held_out(file: Path) -> None:
    old = step(graph(file), "old-head-old")
    assert {"before", "after", "data"} == set(old.inputs)
    more = "old_tests=[{name: older, path: data/water}]"
    assert set(step(graph(file, more), "old-head-older").inputs) == {"before", "after", "test"}


def test_heads_can_be_chosen_by_dataset(file: Path) -> None:
    train = step(graph(file, "head={water: older, oxide: fresh}"), "train")
    assert train.params.heads == {"water": "older", "oxide": "fresh"}


def test_own_answers_stand_in_for_old_data(file: Path) -> None:
    made = graph(file, "replay={pseudo: [older]}")
    assert step(made, "train").groups["replay"]["older"].step.name == "pseudo-older"


def test_nothing_is_replayed_and_compared_unless_asked_for(file: Path) -> None:
    file.write_text("\n".join(row for row in CONFIG.splitlines() if "replay" not in row))
    made = graph(file)
    assert "replay" not in step(made, "train").groups
    assert not [one.name for one in made.steps if "scratch" in one.name or "old" in one.name]


def test_scratch_has_the_same_data_and_steps(file: Path) -> None:
    made = graph(file, "compare_scratch=true", "freeze=descriptor")
    train, scratch = step(made, "train"), step(made, "train-scratch")
    assert train.params.freeze_descriptor
    assert scratch.groups["data"] == train.groups["data"]
    assert scratch.params.settings["steps"] == train.params.settings["steps"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("head=oldd", r"head: the model has no head 'oldd'; it has old, older \(or best"),
        ("head={watr: old}", "head.watr: there is no dataset 'watr'; there are water, oxide"),
        ("head=3", "head: give a head's name, best or fresh"),
        ("freeze=all", "it must be one of nothing, descriptor"),
        ("replay.datasets.0.name=young", "the model has no head 'young'"),
        ("replay.frames=0", "it must be above 0"),
        ("replay={frames: 5}", "replay: give datasets"),
        ("replay={pseudo: [old, old]}", "'?old'? is replayed twice"),
        ("datasets.0.name=old", "'old' is also one of datasets"),
        ("old_tests=[{name: young, path: data/water}]", "the model has no head 'young'"),
        ("model=data/water", "has no card.json"),
        ("model=lost", "there is no model at"),
    ],
)
def test_mistakes_are_told(file: Path, change: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        graph(file, change)


def test_a_frozen_model_cannot_be_trained(file: Path) -> None:
    card = file.parent / "big/card.json"
    card.write_text(card.read_text().replace('"model.pt"', '"frozen/old.pth"'))
    with pytest.raises(InputError, match="holds a frozen model only"):
        graph(file)
