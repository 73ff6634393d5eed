from pathlib import Path
from typing import Any

import pytest
from lamflow.workflows.distill import build, conditions
from model_folders import write_model_folder

from lamflow.config.loader import load_config
from lamflow.engine.graph import Graph
from lamflow.errors import InputError

CONFIG = """\
kind: distill
name: cu
teacher: teacher
head: metal
student: nano
domain: {structures: [cu.xyz], temperatures_K: [300, 900]}
goal: {force_rmse: 50}
budget: {iterations: 2}
train: {steps: 100, threads: 1}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_model_folder(tmp_path / "teacher", "metal", "water", type_map=("H", "Cu"))
    (tmp_path / "cu.xyz").write_text('1\nLattice="3.6 0 0 0 3.6 0 0 0 3.6"\nCu 0 0 0\n')
    (tmp_path / "distill.yaml").write_text(CONFIG)
    return tmp_path / "distill.yaml"


def graph(file: Path, *overrides: str) -> Graph:
    config: Any = load_config(file, overrides).config
    return build(config)


def keys(made: Graph) -> dict[str, str]:
    return {step.name: step.key for step in made.steps}


def test_steps_have_readable_names(file: Path) -> None:
    names = list(keys(graph(file)))
    assert names[:8] == [
        "teacher", "start-draw", "start-explore-nvt-300k", "start-explore-nvt-900k",
        "start-ask-drawn", "start-ask-nvt-300k", "start-ask-nvt-900k", "start-gather",
    ]  # fmt: skip
    assert names[10:18] == [
        "iter-01-explore-nvt-300k", "iter-01-explore-nvt-900k", "iter-01-ask-nvt-300k",
        "iter-01-ask-nvt-900k", "iter-01-pick", "iter-01-gather", "iter-01-train-1",
        "iter-01-check",
    ]  # fmt: skip
    assert names[-5:] == ["deploy", "prove-errors", "prove-structure-1", "prove-speed", "report"]


def test_a_bigger_budget_leaves_earlier_iterations_as_they_were(file: Path) -> None:
    small, big = keys(graph(file)), keys(graph(file, "budget.iterations=3"))
    assert len(big) == len(small) + 8
    changed = {name for name, key in small.items() if big[name] != key}
    assert changed == {"deploy", "prove-errors", "prove-structure-1", "prove-speed", "report"}


def test_auto_tries_three_sizes_and_all_students_take_the_chosen_one(file: Path) -> None:
    made = graph(file, "student=auto")
    tried = [step.name for step in made.steps if step.name.startswith("start-try")]
    assert tried == [f"start-try-student-{size}" for size in ("nano", "micro", "small")]
    for step in made.steps:
        if "-train-" in step.name:
            assert step.params.model is None  # type: ignore[attr-defined]
            assert step.inputs["size"].step.name == "start-size"  # type: ignore[union-attr]


def test_pressures_make_npt_runs_of_every_temperature(file: Path) -> None:
    config: Any = load_config(file, ["domain.pressures_GPa=[-1.5, 10]"]).config
    found = conditions(config)
    assert list(found) == [
        "npt-300k-minus-1p5gpa", "npt-300k-10gpa", "npt-900k-minus-1p5gpa", "npt-900k-10gpa",
    ]  # fmt: skip
    assert found["npt-900k-10gpa"]["ensemble"] == {"ensemble": "npt-isotropic", "pressure_GPa": 10}


def test_nvt_proof_is_ten_times_longer_than_training(file: Path) -> None:
    made = graph(file, "explore={steps: 500, timestep: 2.0}")
    (step,) = [one for one in made.steps if one.name == "prove-structure-1"]
    settings = step.params.settings  # type: ignore[attr-defined]
    assert settings.nvt_ps == pytest.approx(10.0)
    assert settings.temperature_K == 900


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("student=dpa3-tiny", "no compression for the descriptor dpa3; take nano, micro"),
        ("student=dpa1-medium", "2 attention layers"),
        ("head=metals", "the model has no head 'metals'; it has metal, water"),
        ("student=nanoo", "no preset is named 'nanoo'"),
        ("student={descriptor: {rcut: 4.0}}", "give either size or preset"),
    ],
)
def test_what_can_not_work_is_refused_first(file: Path, change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        graph(file, change)


def test_the_teacher_must_know_the_elements(file: Path) -> None:
    (file.parent / "cu.xyz").write_text("1\n\nAu 0 0 0\n")
    with pytest.raises(InputError, match="does not know Au; it knows H, Cu"):
        graph(file)
