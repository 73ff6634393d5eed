"""Operator: choose the size of the student."""

from collections.abc import Mapping

from lamflow.config.base import JsonObject, StrictModel
from lamflow.distill.student import choose_size as choose
from lamflow.engine.operator import StepIO, operator


class ChooseSizeParams(StrictModel):
    """What there is to choose from."""

    models: dict[str, JsonObject]
    """DeePMD-kit's model section of each preset, the fastest first."""
    goal: float
    """Largest force RMSE, meV/Å."""


@operator(
    params=ChooseSizeParams,
    inputs={"labels": "labelled frames"},
    groups={"candidates": "briefly trained students by preset"},
    outputs={"size": "the choice, and the errors of all"},
    numbers=("preset",),
)
def choose_size(params: ChooseSizeParams, io: StepIO) -> Mapping[str, str]:
    """Keep the fastest student that meets the goal on held-out frames, or the most accurate."""
    told = choose(
        io.groups["candidates"], params.models, io.inputs["labels"], params.goal,
        io.outputs["size"],
    )  # fmt: skip
    return {"preset": told["preset"]}
