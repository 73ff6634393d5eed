"""Operators: train one member of a committee, on a GPU (or all cores) or on one core."""

from collections.abc import Mapping
from typing import Any

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.learn.committee import keep_member, nothing_new
from lamflow.learn.committee import train_member as train
from lamflow.train.protocol import TrainSettings


class TrainMemberParams(StrictModel):
    """What to train."""

    name: str
    """Name of the run, for the model's card."""
    model: JsonObject
    """DeePMD-kit's model section, without type_map."""
    type_map: tuple[str, ...]
    """Elements of the model."""
    settings: JsonObject
    """Fields of `lamflow.train.protocol.TrainSettings`."""


_INPUTS = {"labels": "train/ and validation/", "previous": "this member as it was"}
_OUTPUTS = {"model": "model folder, or the reason why there is none"}
_NUMBERS = ("steps", "train_seconds", "failed")


@operator(
    params=TrainMemberParams, inputs=_INPUTS, outputs=_OUTPUTS, numbers=_NUMBERS, profile="train"
)
def train_member(params: TrainMemberParams, io: StepIO) -> Mapping[str, Any]:
    """Train a member of the committee on all labels so far."""
    return _train(params, io)


@operator(params=TrainMemberParams, inputs=_INPUTS, outputs=_OUTPUTS, numbers=_NUMBERS)
def train_member_on_one_core(params: TrainMemberParams, io: StepIO) -> Mapping[str, Any]:
    """Train a member of the committee beside others, each on one core."""
    return _train(params, io)


def _train(params: TrainMemberParams, io: StepIO) -> Mapping[str, Any]:
    labels = io.inputs["labels"]
    if "previous" in io.inputs and nothing_new(labels):
        return keep_member(io.inputs["previous"], io.outputs["model"])
    return train(
        labels, io.outputs["model"], io.scratch, name=params.name, model=params.model,
        type_map=params.type_map, settings=TrainSettings(**params.settings), progress=io.progress,
    )  # fmt: skip
