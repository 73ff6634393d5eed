from pathlib import Path

import pytest
from lamflow.workflows.kinds import build_graph
from model_folders import write_model_folder
from wrong_configs import BASE, write_data

from lamflow.config.checks import load_checked_config
from lamflow.config.loader import load_config
from lamflow.config.pipeline import PipelineConfig
from lamflow.engine.graph import Graph, Output, Source
from lamflow.errors import InputError

PIPELINE = """\
kind: pipeline
name: chain
stages:
  - pretrain.yaml
  - {file: tune.yaml, model: pretrain, set: {train.steps: 7}}
  - {name: exam, file: evaluate.yaml, model: tune}
"""
TUNE = """\
kind: finetune
name: tune
model: big
datasets: [{name: ice, path: data/water}]
train: {steps: 20}
"""
EVALUATE = """\
kind: evaluate
name: exam
model: nowhere
datasets: [{name: ice, path: data/water}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_data(tmp_path)
    write_model_folder(tmp_path / "big", "water", "tio2")
    for name, text in (("pretrain", BASE), ("tune", TUNE), ("evaluate", EVALUATE)):
        (tmp_path / f"{name}.yaml").write_text(text)
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE)
    return path


def graph(file: Path, *changes: str) -> Graph:
    return build_graph(load_config(file, changes).config)


def test_stages_are_joined_by_their_models(file: Path) -> None:
    made = graph(file)
    steps = {step.name: step for step in made.steps}
    assert {"pretrain-train", "tune-train", "exam-test-ice", "report"} <= set(steps)
    model = steps["exam-test-ice"].inputs["model"]
    assert isinstance(model, Output)
    assert model.step.name.startswith("tune-")
    sources = [o for step in made.steps for *_, o in step.origins() if isinstance(o, Source)]
    assert not [source for source in sources if source.location.startswith("stage:")]
    assert {path.split("/")[0] for path in made.results} == {
        "pretrain", "tune", "exam", "metrics.json", "report.html", "card.json",
    }  # fmt: skip
    assert "tune/model" in made.results


def test_a_later_stage_changes_and_earlier_ones_do_not(file: Path) -> None:
    before = {step.name: step.key for step in graph(file).steps}
    changed = graph(file, "stages.exam.set={refit_fraction: 0.5}")
    after = {step.name: step.key for step in changed.steps}
    assert {name for name in before if before[name] != after[name]} == {
        "exam-test-ice", "exam-report", "report",
    }  # fmt: skip


def test_a_stages_file_is_changed_by_set(file: Path) -> None:
    (step,) = (step for step in graph(file).steps if step.name == "tune-train")
    assert step.params.settings["steps"] == 7  # type: ignore[attr-defined]


def test_names_come_from_files(file: Path) -> None:
    config = load_config(file).config
    assert isinstance(config, PipelineConfig)
    assert [stage.name for stage in config.stages] == ["pretrain", "tune", "exam"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("stages=[]", "stages: is empty"),
        ("stages=[{file: pretrain.yaml}, {file: pretrain.yaml}]", "'pretrain' is used twice"),
        ("stages.tune.yaml.model=exam", "has no entry 'tune'"),
        ("stages.exam.model=nobody", "takes the model of 'nobody', which is no earlier stage"),
        ("stages.exam.modell=tune", "did you mean 'model'"),
    ],
)
def test_mistakes_of_form_are_told(file: Path, change: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_config(file, [change])


def test_problems_of_stages_have_their_own_places(file: Path) -> None:
    (file.parent / "pretrain.yaml").write_text(BASE.replace("steps: 20", "stepps: 20"))
    (file.parent / "tune.yaml").write_text(TUNE.replace("data/water", "data/wine"))
    with pytest.raises(InputError) as caught:
        load_checked_config(file)
    first, second = str(caught.value).splitlines()
    assert "pipeline.yaml:4: stages.0.file: " in first
    assert "pretrain.yaml:8: train.stepps: unknown key; did you mean 'steps'?" in first
    assert "pipeline.yaml:5: stages.1.file: " in second
    assert "tune.yaml:4: datasets.0.path" in second


def test_a_pipeline_in_a_pipeline_and_no_file_at_all(file: Path) -> None:
    with pytest.raises(InputError, match="is a pipeline itself"):
        load_checked_config(file, ["stages=[{name: again, file: pipeline.yaml}]"])
    with pytest.raises(InputError, match=r"stages.0.file: .*nil.yaml"):
        load_checked_config(file, ["stages=[nil.yaml]"])


def test_a_stage_without_a_model_can_give_none(file: Path) -> None:
    with pytest.raises(InputError, match=r"stage .exam. gives no model; it gives metrics\.json"):
        graph(file, "stages=[{name: exam, file: evaluate.yaml, set: {model: big}},"
              " {file: tune.yaml, model: exam}]")  # fmt: skip


def test_what_needs_the_model_before_the_run_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="compare_scratch: needs to know the network before"):
        graph(file, "stages.1.set={compare_scratch: true}")


def test_only_pipelines_have_stages(file: Path) -> None:
    with pytest.raises(InputError, match="names a stage of a pipeline; only `kind: pipeline`"):
        load_config(file.parent / "tune.yaml", ["model=stage:pretrain"])
