"""Operator: test the committee, calibrate its deviation, decide whether the loop goes on."""

from collections.abc import Mapping
from typing import Any

from lamflow.config.base import StrictModel
from lamflow.config.learn_steps import Converged
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.check import Rules, check_models, pass_on
from lamflow.learn.state import read_state


class CheckParams(StrictModel):
    """What the decision depends on."""

    iteration: int
    """Number of the iteration; 0 is the start."""
    force_error: float
    """Wished error of the worst atom's force, eV/Å."""
    failed_error: float
    """Error above which a frame is not worth a label, eV/Å."""
    converged: Converged
    """When the loop is over."""
    stages: int = 1
    """Stages of the exploration; the loop is over when the last has converged."""
    seed: int
    """Decides which points the parity plots show."""


@operator(
    params=CheckParams,
    inputs={
        "labels": "labelled frames so far",
        "labels_before": "those that the committee before was trained on",
        "test": "test set",
        "chosen": "what was selected",
        "checked": "state of the loop before",
        "previous": "the model before",
    },
    groups={"models": "members of the committee", "before": "members of the iteration before"},
    outputs={"checked": "state, errors and calibration", "model": "the model to use"},
    numbers=("force_rmse_meV_per_A", "slope", "low", "high", "stop"),
)
def check(params: CheckParams, io: StepIO) -> Mapping[str, Any]:
    """Test on frames that were not trained on, calibrate trust levels, decide."""
    state = read_state(io.inputs.get("checked"))
    if state.stop:
        pass_on(io.inputs["checked"], io.inputs["previous"], io.outputs)
    else:
        rules = Rules(
            params.iteration, params.force_error, params.failed_error, params.converged,
            params.seed, params.stages,
        )  # fmt: skip
        state = check_models(
            io.groups["models"], io.groups.get("before", {}), io.inputs["labels"],
            io.inputs.get("labels_before"), io.inputs.get("test"), io.inputs.get("chosen"),
            state, io.outputs, rules, progress=io.progress,
        )  # fmt: skip
    last = state.last
    return {
        "force_rmse_meV_per_A": last.errors["force_rmse_meV_per_A"],
        "slope": last.calibration["slope"],
        "low": last.levels[0],
        "high": last.levels[1],
        "stop": state.stop,
    }
