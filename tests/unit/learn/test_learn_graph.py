from pathlib import Path
from typing import Any

import pytest
from lamflow.workflows.learn import at_most, build
from model_folders import write_model_folder

from lamflow.config.loader import load_config
from lamflow.engine.graph import Graph
from lamflow.errors import InputError

CONFIG = """\
kind: learn
name: cu
structures: [cu.xyz]
model: dpa1-tiny
train: {steps: 100, committee: 2, threads: 1}
label: {engine: emt, workers: 2}
explore: [{name: nvt600, settings: {steps: 10, temperature_K: 600}}]
select: {labels: 10}
start: {frames: 12}
budget: {labels: 45, iterations: 2}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "cu.xyz").write_text('1\nLattice="3.6 0 0 0 3.6 0 0 0 3.6"\nCu 0 0 0\n')
    (tmp_path / "learn.yaml").write_text(CONFIG)
    return tmp_path / "learn.yaml"


def graph(file: Path, *overrides: str) -> Graph:
    config: Any = load_config(file, overrides).config
    return build(config)


def keys(made: Graph) -> dict[str, str]:
    return {step.name: step.key for step in made.steps}


def test_steps_have_readable_names(file: Path) -> None:
    names = list(keys(graph(file)))
    assert names[:7] == [
        "start-draw", "start-label-1", "start-label-2", "start-gather", "start-train-1",
        "start-train-2", "start-check",
    ]  # fmt: skip
    assert names[7:15] == [
        "iter-01-explore-nvt600", "iter-01-select", "iter-01-label-1", "iter-01-label-2",
        "iter-01-gather", "iter-01-train-1", "iter-01-train-2", "iter-01-check",
    ]  # fmt: skip
    assert names[-1] == "report"


def test_a_bigger_budget_leaves_earlier_iterations_as_they_were(file: Path) -> None:
    small, big = keys(graph(file)), keys(graph(file, "budget.iterations=4", "budget.labels=90"))
    assert len(big) == len(small) + 2 * 8
    for name, key in small.items():
        assert (big[name] == key) == (name != "report")


def test_only_what_the_budget_of_labels_cut_short_is_done_again(file: Path) -> None:
    cut, more = keys(graph(file, "budget.labels=25")), keys(graph(file))
    changed = {name for name, key in cut.items() if more[name] != key}
    assert min(changed) == "iter-02-check"
    assert "iter-02-explore-nvt600" not in changed
    assert "iter-02-select" in changed


def test_one_seed_decides_everything_random(file: Path) -> None:
    one, other = keys(graph(file)), keys(graph(file, "seed=2"))
    assert one["start-draw"] != other["start-draw"]


def test_the_labeller_is_asked_before_anything_runs(file: Path) -> None:
    (file.parent / "cu.xyz").write_text("1\n\nU 0 0 0\n")
    with pytest.raises(InputError, match="EMT does not know U"):
        graph(file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("label.engine=tblight", "did you mean 'tblite'"),
        ("explore.nvt600.settings={steps: 5}", "temperature_K"),
        ("explore.nvt600.explorer=mdd", "unknown explorer"),
        ("budget.labels=12", "raise budget.labels"),
        ("select.failed_error=0.1", "above force_error"),
        ("structures=[cu.xyz, {name: structure-1, path: cu.xyz}]", "used twice"),
        ("converged.accurate=1.5", "1"),
    ],
)
def test_mistakes_are_told(file: Path, change: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_config(file, [change])


def test_a_pretrained_model_is_tuned_instead(file: Path, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "big", "tio2")
    text = CONFIG.replace("model: dpa1-tiny", "pretrained: {path: big, head: tio2}")
    file.write_text(text)
    step = next(step for step in graph(file).steps if step.name == "iter-01-train-2")
    assert step.operator.name == "tune_member_on_one_core"
    assert set(step.inputs) == {"labels", "previous", "pretrained", "zero_shot"}


def test_scratch_learns_the_final_labels(file: Path, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "big", "tio2", "water")
    file.write_text(CONFIG.replace("model: dpa1-tiny", "model: ./big\ncompare_scratch: true"))
    made = graph(file)
    steps = {step.name: step for step in made.steps}
    assert steps["scratch-train"].inputs["labels"].step.name == "iter-02-gather"
    assert steps["scratch-evaluate"].inputs["data"].step.name == "iter-02-gather"
    assert {"zero_shot", "scratch"} <= set(steps["report"].inputs)
    assert steps["start-train-1"].params.head == "best"


def test_scratch_cannot_be_compared_with_itself(file: Path) -> None:
    with pytest.raises(InputError, match="compare_scratch needs pretrained"):
        load_config(file, ["compare_scratch=true"])


def test_from_scratch_or_pretrained_but_not_both(file: Path, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "big", "tio2")
    with pytest.raises(InputError, match="give either model"):
        load_config(file, ["pretrained={path: big}"])


HOTTER = "{name: hot, settings: {steps: 20, temperature_K: 900}, stage: 2, runs: 3}"


def staged(file: Path) -> Graph:
    file.write_text(CONFIG.replace("temperature_K: 600}}]", f"temperature_K: 600}}}}, {HOTTER}]"))
    return graph(file)


def test_stages_come_one_after_the_other(file: Path) -> None:
    steps = {step.name: step for step in staged(file).steps}
    assert steps["iter-01-explore-nvt600"].params.stage == 1
    assert steps["iter-01-explore-hot"].params.stage == 2
    assert steps["iter-01-check"].params.stages == 2


def test_the_most_that_it_can_cost_is_told_beforehand(file: Path) -> None:
    staged(file)
    most, sentence = at_most(load_config(file).config)
    assert most["labels"] == 32  # 12 at the start and 10 in each of two iterations
    assert most["trainings"] == 6
    assert most["training_steps"] == 600
    assert most["trajectories"] == 6  # three of the dearer stage, twice
    assert most["exploration_steps"] == 120
    assert "32 labels by emt" in sentence


def test_data_that_join_later_leave_earlier_iterations_as_they_are(
    file: Path, tmp_path: Path
) -> None:
    columns = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-3.7 pbc="T T T"'
    cell = 'Lattice="3.6 0 0 0 3.6 0 0 0 3.6"'
    (tmp_path / "mine.xyz").write_text(f"1\n{cell} {columns}\nCu 0 0 0 0 0 0\n")
    before = {step.name: step.key for step in graph(file).steps}
    file.write_text(CONFIG + "datasets: [{name: mine, path: mine.xyz, iteration: 2}]\n")
    after = {step.name: step.key for step in graph(file).steps}
    changed = {name for name, key in before.items() if after[name] != key}
    assert "iter-01-check" not in changed
    assert {"iter-02-gather", "iter-02-train-1", "report"} <= changed
    assert not [name for name in changed if name.startswith(("start", "iter-01"))]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("explore.0.structures=[gold]", "names structure gold; there are structure-1"),
        ("explore.0.stage=3", "nothing is explored in stage 1"),
        ("datasets=[{name: a, path: cu.xyz, iteration: 7}]", "after the last one"),
    ],
)
def test_mistakes_in_stages_are_told(file: Path, change: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_config(file, [change])
