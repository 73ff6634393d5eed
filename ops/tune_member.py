"""Operators: fine-tune one member of a committee, on a GPU (or all cores) or on one core."""

from collections.abc import Mapping
from typing import Any

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.committee import keep_member, nothing_new
from lamflow.learn.tune import tune_member as tune
from lamflow.train.protocol import TrainSettings


class TuneMemberParams(StrictModel):
    """What to fine-tune."""

    name: str
    """Name of the run, for the model's card."""
    head: str
    """Head of the pretrained model to begin with, or best, or fresh."""
    elements: tuple[str, ...]
    """Elements that the model is to know."""
    settings: JsonObject
    """Fields of `lamflow.train.protocol.TrainSettings`."""


_INPUTS = {
    "labels": "train/ and validation/",
    "pretrained": "model folder",
    "zero_shot": "zero-shot errors of the pretrained heads",
    "previous": "this member as it was",
}
_OUTPUTS = {"model": "model folder, or the reason why there is none"}
_NUMBERS = ("steps", "train_seconds", "failed")


@operator(
    params=TuneMemberParams, inputs=_INPUTS, outputs=_OUTPUTS, numbers=_NUMBERS, profile="train"
)
def tune_member(params: TuneMemberParams, io: StepIO) -> Mapping[str, Any]:
    """Fine-tune a member of the committee on all labels so far."""
    return _tune(params, io)


@operator(params=TuneMemberParams, inputs=_INPUTS, outputs=_OUTPUTS, numbers=_NUMBERS)
def tune_member_on_one_core(params: TuneMemberParams, io: StepIO) -> Mapping[str, Any]:
    """Fine-tune a member of the committee beside others, each on one core."""
    return _tune(params, io)


def _tune(params: TuneMemberParams, io: StepIO) -> Mapping[str, Any]:
    if "previous" in io.inputs and nothing_new(io.inputs["labels"]):
        return keep_member(io.inputs["previous"], io.outputs["model"])
    return tune(
        io.inputs["labels"], io.inputs["pretrained"], io.outputs["model"], io.scratch,
        io.inputs["zero_shot"], name=params.name, head=params.head, elements=params.elements,
        settings=TrainSettings(**params.settings), progress=io.progress,
    )  # fmt: skip
