"""Operator: test a new version on all old and new test sets."""

from collections.abc import Mapping

from lamflow.ops.measure import MeasureParams

from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.evaluate.measure import measure_properties
from lamflow.evaluate.properties.result import PropertyValue
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.train.model_card import read_model_card
from lamflow.update.base import find_base
from lamflow.update.decide import read_decisions
from lamflow.update.examine import Examination
from lamflow.update.examine import examine as test
from lamflow.update.grow import Growth
from lamflow.update.holding import holding
from lamflow.update.plan import Plan
from lamflow.update.vet import leave_empty


class AuditParams(PlaceParams):
    """How to test."""

    seed: int
    """Decides which points the parity plots show."""
    systems: tuple[MeasureParams, ...] = ()
    """Systems whose properties are computed."""


@operator(
    params=AuditParams,
    inputs={
        "plan": "what is worked on",
        "decisions": "what is done with each dataset",
        "growth": "what became of the training",
        "model": "the new version",
        "data": "what its heads were taught",
    },
    groups={
        "parts": "parts of each slot's dataset",
        "structures": "files with systems that are no crystals, by system",
    },
    outputs={"examination": "errors, JSON", "parity": "points for parity plots, by test set"},
    numbers=("test_sets", "properties"),
)
def audit(params: AuditParams, io: StepIO) -> Mapping[str, int]:
    """Measure each head of the new version on every set that the old one was tested on, and new."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    growth = Growth.model_validate(read_json(io.inputs["growth"]))
    found = Examination()
    if growth.trained:
        registry = open_registry(params.registry)
        with holding(registry.store, params.model, plan, params.lease_s):
            found = test(
                find_base(registry, plan), read_decisions(io.inputs["decisions"]),
                io.groups["parts"], io.inputs["model"], io.inputs["data"], io.outputs["parity"],
                io.scratch, seed=params.seed, progress=io.progress,
            )  # fmt: skip
            found = found.model_copy(update={"properties": _measured(params, io)})
    else:
        leave_empty(io.outputs["parity"], "there is no new version to test")
    write_json(io.outputs["examination"], found.model_dump(mode="json"))
    return {"test_sets": len(found.results), "properties": len(found.properties)}


def _measured(params: AuditParams, io: StepIO) -> tuple[PropertyValue, ...]:
    """Compute the properties of all systems whose head the new version has."""
    heads = read_model_card(io.inputs["model"]).heads
    values: list[PropertyValue] = []
    for one in params.systems:
        if one.head is not None and one.head not in heads:
            continue  # a head that is still to come
        start = one.crystal or io.groups["structures"][one.system]
        values += measure_properties(
            io.inputs["model"], one.head, one.system, start, one.tests, one.md,
            io.scratch / "properties" / one.system, progress=io.progress,
        )  # fmt: skip
    return tuple(values)
