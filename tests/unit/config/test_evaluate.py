from pathlib import Path

import pytest
import yaml
from lamflow.workflows.evaluate import build
from model_folders import write_model_folder
from wrong_configs import write_data

from lamflow.config.checks import load_checked_config
from lamflow.config.evaluate import EvaluateConfig
from lamflow.config.loader import load_config
from lamflow.engine.graph import Graph
from lamflow.errors import InputError

CONFIG = """\
kind: evaluate
name: exam
model: big
datasets:
  - {name: water, path: data/water}
  - {name: rutile, path: data/tio2, test: data/tio2_test, weight: 0.5, head: tio2}
properties:
  - name: cu-fcc
    crystal: {element: Cu, structure: fcc, a: 3.6}
    head: water
    tests: [volume, {property: C11, reference: 170, tolerance: 10}]
"""
SUITE = """\
- {name: cu-fcc, crystal: {element: Cu, structure: fcc, a: 3.6}, head: tio2, tests: [volume]}
- {name: box, structure: data/water, head: water, tests: [survival]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_data(tmp_path)
    write_model_folder(tmp_path / "big", "water", "tio2")
    path = tmp_path / "evaluate.yaml"
    path.write_text(CONFIG)
    return path


def config(file: Path, *changes: str) -> EvaluateConfig:
    loaded = load_config(file, changes).config
    assert isinstance(loaded, EvaluateConfig)
    return loaded


def graph(file: Path, *changes: str) -> Graph:
    return build(config(file, *changes))


def keys(file: Path, *changes: str) -> dict[str, str]:
    return {step.name: step.key for step in graph(file, *changes).steps}


def test_sets_and_systems_are_tested_side_by_side(file: Path) -> None:
    steps = {step.name: step for step in graph(file).steps}
    assert list(steps) == [
        "clean-water", "clean-rutile", "test-clean-rutile", "test-water", "test-rutile",
        "properties-cu-fcc", "report",
    ]  # fmt: skip
    assert set(steps["test-rutile"].inputs) == {"model", "dataset", "test"}
    assert steps["properties-cu-fcc"].needs == ()
    assert set(graph(file).results) == {
        "metrics.json", "properties.json", "details.json", "report.html", "card.json",
    }  # fmt: skip


def test_a_change_redoes_what_depends_on_it(file: Path) -> None:
    before, after = keys(file), keys(file, "datasets.rutile.head=water")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"test-rutile", "report"}
    (file.parent / "big/card.json").write_text(
        (file.parent / "big/card.json").read_text().replace('"seed": 1', '"seed": 2')
    )
    other = keys(file)
    changed = {name for name in before if before[name] != other[name]}
    assert changed == {"test-water", "test-rutile", "properties-cu-fcc", "report"}


def test_a_suite_can_have_a_file_of_its_own(file: Path) -> None:
    (file.parent / "suite.yaml").write_text(SUITE)
    found = config(file, "properties=suite.yaml").properties
    assert [spec.name for spec in found] == ["cu-fcc", "box"]
    assert found[1].structure == str(file.parent / "data/water")
    (file.parent / "suite.yaml").write_text("name: cu\n")
    with pytest.raises(InputError, match="holds no list of systems"):
        config(file, "properties=suite.yaml")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("datasets=[]", None),
        ("properties.cu-fcc.structure=data/water", "give either crystal"),
        ("properties.cu-fcc.tests=[volume, volume]", "'volume' is tested twice"),
        ("properties.cu-fcc.tests=[colour]", "must be one of volume, bulk modulus"),
        ("properties.cu-fcc.tests=[{property: C11, reference: 3}]", "belong together"),
        ("datasets.water.heads=tio2", "did you mean 'head'"),
        ("datasets.water.references=best", "must be one of auto, refit, keep"),
        ("refit_fraction=1.0", "must be below 1"),
        ("model=nowhere", "there is no model at"),
    ],
)
def test_mistakes_are_told(file: Path, change: str, told: str | None) -> None:
    if told is None:
        assert config(file, change).datasets == ()
        return
    with pytest.raises(InputError, match=told):
        config(file, change)


def test_nothing_to_test(file: Path) -> None:
    with pytest.raises(InputError, match="there is nothing to test"):
        config(file, "datasets=[]", "properties=[]")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("datasets.rutile.head=tio3", r"datasets.1.head: the model has no head 'tio3'; it has wa"),
        ("properties.cu-fcc.head=null", "properties.0.head: the model has several heads; name one"),
        ("datasets.water.path=data/nil", "datasets.0.path: .*nil"),
    ],
)
def test_model_and_data_are_looked_at(file: Path, change: str, told: str) -> None:
    load_checked_config(file, [], fetch=Path)
    with pytest.raises(InputError, match=told):
        load_checked_config(file, [change], fetch=Path)


def test_the_demonstration_has_heads_of_the_demonstration_of_pretraining() -> None:
    folder = Path(__file__).parents[3] / "workflows"
    heads = {
        spec["name"] for spec in yaml.safe_load((folder / "pretrain.yaml").read_text())["datasets"]
    }
    exam = yaml.safe_load((folder / "evaluate.yaml").read_text())
    assert {spec["head"] for spec in exam["properties"]} <= heads
