"""Operator: train one model with a head for each dataset."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from lamflow.config.base import JsonObject, StrictModel
from lamflow.config.task import Task
from lamflow.engine.operator import StepIO, operator
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.protocol import TrainSettings


class PretrainParams(StrictModel):
    """What to train."""

    name: str
    """Name of the run, for the model's card."""
    weights: dict[str, float]
    """Share of the training steps of each head."""
    model: JsonObject
    """DeePMD-kit's model section, without type_map."""
    type_map: tuple[str, ...] | None = None
    """Elements of the model; default: those of the data."""
    tasks: dict[str, Task] = Field(default_factory=dict)
    """What heads learn; those that are not named learn energies."""
    settings: JsonObject
    """Fields of `lamflow.train.protocol.TrainSettings`."""


@operator(
    params=PretrainParams,
    groups={"data": "training and validation frames of each head"},
    outputs={"model": "checkpoint, frozen models, learning curve, card"},
    numbers=("steps", "train_seconds", "device"),
    profile="train",
)
def pretrain(params: PretrainParams, io: StepIO) -> Mapping[str, Any]:
    """Train a multi-task model: a shared descriptor, a fitting net for each dataset."""
    settings = TrainSettings(**params.settings)
    job = make_job(
        io.groups["data"], params.weights, params.model, settings, params.type_map, params.tasks
    )
    result = DeepmdTrainer().train(job, io.scratch, io.progress)
    card = export_model(job, result, io.outputs["model"], params.name)
    return {"steps": card.steps, "train_seconds": round(card.seconds, 1), "device": card.device}
