"""Operator: fine-tune a pretrained model on new data, beside replayed ones."""

from collections.abc import Mapping
from typing import Any

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.old_heads import chosen_head
from lamflow.files import read_json
from lamflow.train.finetuning import finetune_model
from lamflow.train.given import open_model
from lamflow.train.protocol import TrainSettings


class FinetuneParams(StrictModel):
    """What to train."""

    name: str
    """Name of the run, for the model's card."""
    heads: dict[str, str]
    """Head that each dataset begins with: a name, best or fresh."""
    weights: dict[str, float]
    """Share of the training steps of each head, replayed ones too."""
    freeze_descriptor: bool
    """Train the fitting nets only."""
    settings: JsonObject
    """Fields of `lamflow.train.protocol.TrainSettings`."""


@operator(
    params=FinetuneParams,
    inputs={"model": "pretrained model folder"},
    groups={
        "data": "training and validation frames of each new dataset",
        "replay": "replayed frames of each old head",
        "zero_shot": "zero-shot errors on each new dataset",
    },
    outputs={"model": "checkpoint, frozen models, learning curve, card"},
    numbers=("steps", "train_seconds", "begun_with"),
    profile="train",
)
def finetune(params: FinetuneParams, io: StepIO) -> Mapping[str, Any]:
    """Fine-tune a model: a head for each new dataset, and the old heads that are replayed."""
    model = open_model(io.inputs["model"])
    sources = {
        name: chosen_head(wanted, read_json(io.groups["zero_shot"][name]), model.heads)
        for name, wanted in params.heads.items()
    }
    card = finetune_model(
        model, io.groups["data"], io.groups.get("replay", {}), sources, params.weights,
        io.outputs["model"], io.scratch, name=params.name,
        freeze_descriptor=params.freeze_descriptor, settings=TrainSettings(**params.settings),
        progress=io.progress,
    )  # fmt: skip
    begun = ", ".join(f"{name}: {source}" for name, source in sources.items())
    return {"steps": card.steps, "train_seconds": round(card.seconds, 1), "begun_with": begun}
