"""Operator: errors of one head on frames that it has not seen."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.config.task import ENERGY, Task
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.head import evaluate_head
from lamflow.evaluate.table import ERROR_KEYS


class EvaluateParams(StrictModel):
    """Which head to test."""

    head: str
    """Name of the head."""
    task: Task = ENERGY
    """What the head has learnt."""
    seed: int
    """Decides which points the parity plots show, and what a denoise head is tested on."""
    part: str = "test"
    """Part of the data that is tested on, where there is no test set of its own."""


@operator(
    params=EvaluateParams,
    inputs={"data": "parts of the head's dataset", "test": "test set of its own"},
    groups={"models": "model folders of a committee"},
    outputs={"errors": "errors and baseline, JSON", "parity": "points for parity plots, npz"},
    numbers=("frames", *ERROR_KEYS),
)
def evaluate(params: EvaluateParams, io: StepIO) -> Mapping[str, float | int | None]:
    """Compare what a head says with the labels of held-out frames."""
    data = io.inputs["data"]
    errors = evaluate_head(
        io.groups["models"], params.head, io.inputs.get("test", data / params.part), data / "train",
        io.outputs["errors"], io.outputs["parity"], params.seed, task=params.task,
        progress=io.progress,
    )  # fmt: skip
    return {name: errors.get(name) for name in ("frames", *ERROR_KEYS)}
