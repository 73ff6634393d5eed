"""Operator: errors of a model on a standard set."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.exam import Exam, References, examine_model
from lamflow.evaluate.table import ERROR_KEYS


class ExamineParams(StrictModel):
    """What is tested."""

    name: str
    """Name of the set; if it is a head's too, the set is that head's own."""
    head: str | None = None
    """Head to test; else the one of the set's name, or the one that fits best."""
    references: References = "auto"
    """Whether an energy for each element is fitted before the test."""
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Part of the frames that it is fitted to (0 to 1)."""
    seed: int
    """Decides which frames these are, and which points plots show."""


@operator(
    params=ExamineParams,
    inputs={
        "model": "model folder",
        "dataset": "cleaned frames",
        "test": "frames to test on instead; references are then fitted to `dataset`",
    },
    outputs={"exam": "errors.json, details.json (elements, worst frames), parity.npz"},
    numbers=("head", "zero_shot", "frames", *ERROR_KEYS),
)
def examine(params: ExamineParams, io: StepIO) -> Mapping[str, float | int | str | None]:
    """Compare a model's energies, forces and virials with the labels of a set."""
    errors = examine_model(
        io.inputs["model"], io.inputs["dataset"], io.inputs.get("test"), io.outputs["exam"],
        Exam(params.name, params.head, params.references, params.fraction, params.seed),
        progress=io.progress,
    )  # fmt: skip
    return {name: errors[name] for name in ("head", "zero_shot", "frames", *ERROR_KEYS)}
