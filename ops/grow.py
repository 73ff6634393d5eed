"""Operator: train a registered model further."""

from collections.abc import Mapping

from lamflow.config.base import JsonObject
from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.train.protocol import TrainSettings
from lamflow.update.base import find_base
from lamflow.update.decide import read_decisions, to_train
from lamflow.update.grow import Growth, nothing_to_learn
from lamflow.update.grow import grow as train
from lamflow.update.holding import holding
from lamflow.update.plan import Plan


class GrowParams(PlaceParams):
    """How to train."""

    name: str
    """Name of the run, for the model's card."""
    preset: JsonObject | None
    """DeePMD-kit's model section of a first version, without type_map."""
    settings: JsonObject
    """Fields of `lamflow.train.protocol.TrainSettings`."""
    replay: float
    """Share of the steps for heads that learn nothing new."""


@operator(
    params=GrowParams,
    inputs={"plan": "what is worked on", "decisions": "what is done with each dataset"},
    groups={"parts": "parts of each slot's dataset"},
    outputs={
        "model": "model folder, or why there is none",
        "data": "what the heads that learn something new are taught",
        "growth": "what became of the training, JSON",
    },
    numbers=("trained", "steps", "train_seconds", "device"),
    profile="train",
)
def grow(params: GrowParams, io: StepIO) -> Mapping[str, bool | int | float | str]:
    """Train on the new data with a replay of all that earlier heads have learnt."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    decisions = read_decisions(io.inputs["decisions"])
    model, data = io.outputs["model"], io.outputs["data"]
    if not to_train(decisions):
        growth = nothing_to_learn(model, data)
    else:
        registry = open_registry(params.registry)
        with holding(registry.store, params.model, plan, params.lease_s):
            growth = train(
                find_base(registry, plan), decisions, io.groups["parts"], model, data, io.scratch,
                name=params.name, preset=params.preset, settings=TrainSettings(**params.settings),
                replay=params.replay, progress=io.progress,
            )  # fmt: skip
    write_json(io.outputs["growth"], Growth.model_dump(growth, mode="json"))
    return {
        "trained": growth.trained, "steps": growth.steps, "device": growth.device,
        "train_seconds": round(growth.seconds, 1),
    }  # fmt: skip
