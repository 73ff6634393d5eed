from typing import Any

import numpy as np
import pytest

from lamflow.config.learn_steps import Converged
from lamflow.distill.pick import meets
from lamflow.distill.proof import rdf_overlap, summary
from lamflow.distill.student import decide
from lamflow.learn.state import Iteration, LoopState

GOAL = Converged(accurate=0.8, force_rmse=100.0, iterations=2)


def trial(**changes: Any) -> dict[str, Any]:
    return {
        "force_rmse_meV_per_A": 90.0, "accurate": 0.9, "refused": 0,
        "trajectories": {"complete": 4, "guarded": 0, "failed": 0}, **changes,
    }  # fmt: skip


def test_a_student_passes_that_is_accurate_where_it_drives() -> None:
    assert meets(trial(), GOAL)


@pytest.mark.parametrize(
    "fault",
    [
        {"force_rmse_meV_per_A": 101.0},
        {"force_rmse_meV_per_A": None},
        {"accurate": 0.7},
        {"refused": 1},
        {"trajectories": {"complete": 3, "guarded": 1, "failed": 0}},
        {"trajectories": {"complete": 3, "guarded": 0, "failed": 1}},
    ],
)
def test_any_fault_keeps_it_from_passing(fault: dict[str, Any]) -> None:
    assert not meets(trial(**fault), GOAL)


def test_the_loop_ends_when_the_goal_was_met_in_a_row() -> None:
    state = LoopState()
    for number, met in enumerate([True, False, True, True]):
        assert state.stop == ""
        state = decide(state, Iteration(iteration=number, asked=5), met=met, goal=GOAL)
    assert state.stop == "the goal was met in 2 iterations in a row"
    assert state.spent == 20


def test_overlap_of_radial_distributions() -> None:
    r = np.linspace(0.1, 5, 50)
    one = np.where(r > 2, 1.0, 0.0)
    assert rdf_overlap(r, one, one) == pytest.approx(1.0)
    assert rdf_overlap(r, one, 1 - one) == 0.0
    assert rdf_overlap(r, one, 2 * one) == pytest.approx(0.5)


def test_summary_takes_the_worst_drift_and_counts_survivors() -> None:
    errors = {"student_dft": {"force_rmse_meV_per_A": 130.0},
              "teacher_dft": {"force_rmse_meV_per_A": 100.0}}  # fmt: skip
    run, broken = {"stop": None}, {"stop": "step 5: too hot"}
    dynamics = {
        "a": {"nve": {"drift_meV_per_atom_per_ns": -3.0}, "nvt": [run]},
        "b": {"nve": {"drift_meV_per_atom_per_ns": 2.0}, "nvt": [run, broken]},
    }
    found = summary(errors, dynamics)
    assert found == {
        "student_over_teacher": pytest.approx(1.3), "drift_meV_per_atom_per_ns": 3.0,
        "survived": 2, "runs": 3,
    }  # fmt: skip
