"""Operator: take one head of the teacher."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.distill.teacher import take_head
from lamflow.engine.operator import StepIO, operator


class TakeTeacherParams(StrictModel):
    """Which head."""

    head: str | None
    """Head of a multi-task model."""


@operator(
    params=TakeTeacherParams,
    inputs={"model": "model folder"},
    outputs={"teacher": "model folder of one head"},
    numbers=("head",),
)
def take_teacher(params: TakeTeacherParams, io: StepIO) -> Mapping[str, str]:
    """Freeze the teacher's head, once for all steps that ask it."""
    return {"head": take_head(io.inputs["model"], params.head, io.outputs["teacher"])}
