"""Operators: train one student, on a GPU (or all cores) or on one core."""

from collections.abc import Mapping
from typing import Any

from lamflow.config.base import JsonObject, StrictModel
from lamflow.distill.student import model_of
from lamflow.distill.student import train_student as train
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.committee import keep_member, nothing_new
from lamflow.train.protocol import TrainSettings


class TrainStudentParams(StrictModel):
    """What to train."""

    name: str
    """Name of the run, for the model's card."""
    model: JsonObject | None
    """DeePMD-kit's model section, without type_map; without it the one of `size`."""
    type_map: tuple[str, ...]
    """Elements of the student."""
    settings: JsonObject
    """Fields of `lamflow.train.protocol.TrainSettings`."""
    continued_steps: int
    """Steps of a student that goes on."""


_INPUTS = {
    "labels": "train/ and validation/",
    "previous": "this student as it was",
    "size": "the choice of a size",
}
_OUTPUTS = {"model": "model folder, or the reason why there is none"}
_NUMBERS = ("steps", "train_seconds", "failed")


@operator(
    params=TrainStudentParams, inputs=_INPUTS, outputs=_OUTPUTS, numbers=_NUMBERS, profile="train"
)
def train_student(params: TrainStudentParams, io: StepIO) -> Mapping[str, Any]:
    """Train a student on all labels so far: from scratch, or going on."""
    return _train(params, io)


@operator(params=TrainStudentParams, inputs=_INPUTS, outputs=_OUTPUTS, numbers=_NUMBERS)
def train_student_on_one_core(params: TrainStudentParams, io: StepIO) -> Mapping[str, Any]:
    """Train a student beside others, each on one core."""
    return _train(params, io)


def _train(params: TrainStudentParams, io: StepIO) -> Mapping[str, Any]:
    labels, previous = io.inputs["labels"], io.inputs.get("previous")
    if previous is not None and nothing_new(labels):
        return keep_member(previous, io.outputs["model"])
    return train(
        labels, previous, io.outputs["model"], io.scratch, name=params.name,
        model=model_of(io.inputs.get("size"), params.model), type_map=params.type_map,
        settings=TrainSettings(**params.settings), continued_steps=params.continued_steps,
        progress=io.progress,
    )  # fmt: skip
