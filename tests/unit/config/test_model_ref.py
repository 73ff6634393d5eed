"""Naming a trained model in a config."""

from pathlib import Path

import pytest
from model_folders import write_model_folder
from pydantic import TypeAdapter, ValidationError

from lamflow.config.checks import load_checked_config
from lamflow.config.loader import load_config
from lamflow.config.model_ref import ModelRef, names_model
from lamflow.engine.inputs import model_source_of
from lamflow.errors import InputError

ADAPTER: TypeAdapter[str] = TypeAdapter(ModelRef)
LEARN = """\
kind: learn
name: cu
structures: [cu.xyz]
model: {model}
train: {{steps: 10, committee: 2}}
label: {{engine: emt}}
explore:
  - {{name: nvt800, settings: {{steps: 60, temperature_K: 800}}}}
budget: {{labels: 30, iterations: 2}}
"""


def read(text: str, folder: Path) -> str:
    return ADAPTER.validate_python(text, context={"folder": folder, "environment": {}})


def test_a_model_folder_is_named_relative_to_the_file(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path / "runs/model", "water")
    (tmp_path / "yaml").mkdir()
    assert read("runs/model", tmp_path) == str(folder)
    assert read("../runs/model", tmp_path / "yaml") == str(folder)
    assert read("runs/model/model.pt", tmp_path) == str(folder / "model.pt")


def test_a_registered_version_stays_a_reference(tmp_path: Path) -> None:
    assert read("openlam/tiny@3", tmp_path) == "openlam/tiny@3"
    assert read("registry:openlam/tiny", tmp_path) == "registry:openlam/tiny"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nowhere", "there is no model at '.*nowhere'; give a model folder"),
        ("empty", "has no card.json; give a model folder"),
        ("notes.txt", "neither a model folder nor a .pt or .pth file"),
        ("openlam/tiny@0", "they count from 1"),
        ("http://x/model.pt", "neither a path nor s3"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValidationError, match=told):
        read(text, tmp_path)


def test_presets_are_told_from_models() -> None:
    assert not names_model("dpa1-tiny")
    assert not names_model({"preset": "dpa1-tiny"})
    assert all(map(names_model, ("a@1", "registry:a", "runs/model", "model.pt")))


def test_learn_takes_a_model_where_it_takes_a_preset(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "runs/model", "water")
    file = tmp_path / "learn.yaml"
    file.write_text(LEARN.format(model="runs/model"))
    config = load_config(file).config.model_dump()
    assert config["model"] is None
    assert config["pretrained"]["path"] == str(tmp_path / "runs/model")


def test_a_version_that_is_not_registered_is_found_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMFLOW_REGISTRY", str(tmp_path / "registry"))
    file = tmp_path / "learn.yaml"
    file.write_text(LEARN.format(model="none").replace("model: none", "pretrained: {path: a@1}"))
    with pytest.raises(InputError, match=r"learn.yaml:4: pretrained.path: .*a"):
        load_checked_config(file, fetch=Path)


def test_a_source_is_the_folder_by_content(tmp_path: Path) -> None:
    one = write_model_folder(tmp_path / "one", "water")
    two = write_model_folder(tmp_path / "two", "water")
    assert model_source_of(str(one)).digest == model_source_of(str(two)).digest
    with pytest.raises(InputError, match="no model here"):
        model_source_of(str(tmp_path / "three"))
