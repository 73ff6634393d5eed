"""Operator: test the students, keep the best, decide whether the loop goes on."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.config.learn_steps import Converged
from lamflow.distill.student import check_students as check
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.check import pass_on
from lamflow.learn.state import read_state


class CheckStudentsParams(StrictModel):
    """What the decision depends on."""

    iteration: int
    """Number of the iteration; 0 is the start."""
    goal: Converged
    """When the loop is over."""
    seed: int
    """Decides which points the parity plots show."""


@operator(
    params=CheckStudentsParams,
    inputs={
        "labels": "labelled frames so far",
        "chosen": "what was picked",
        "checked": "state of the loop before",
        "previous": "the student before",
    },
    groups={"models": "students"},
    outputs={"checked": "state and errors", "model": "the student that drives"},
    numbers=("force_rmse_meV_per_A", "stop"),
)
def check_students(params: CheckStudentsParams, io: StepIO) -> Mapping[str, float | str | None]:
    """Test on frames that were not trained on, and decide by what the student's runs told."""
    state = read_state(io.inputs.get("checked"))
    if state.stop:
        pass_on(io.inputs["checked"], io.inputs["previous"], io.outputs)
    else:
        state = check(
            io.groups["models"], io.inputs["labels"], io.inputs.get("chosen"), state, io.outputs,
            iteration=params.iteration, goal=params.goal, seed=params.seed,
        )  # fmt: skip
    return {
        "force_rmse_meV_per_A": state.last.errors.get("force_rmse_meV_per_A"), "stop": state.stop,
    }  # fmt: skip
