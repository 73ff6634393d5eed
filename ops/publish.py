"""Operator: publish a new version as candidate and ask the gate."""

from collections.abc import Mapping

from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.update.decide import read_decisions
from lamflow.update.examine import Examination
from lamflow.update.grow import Growth
from lamflow.update.holding import holding
from lamflow.update.plan import Plan
from lamflow.update.publish import GateResult, Products, publish_candidate


class PublishParams(PlaceParams):
    """When the gate opens."""

    tolerance: float
    """Largest relative increase of an error."""
    config: str
    """The configuration, as YAML."""


@operator(
    params=PublishParams,
    inputs={
        "plan": "what is worked on",
        "decisions": "what is done with each dataset",
        "growth": "what became of the training",
        "model": "the new version",
        "data": "what its heads were taught",
        "examination": "its errors",
    },
    groups={"parts": "parts of each slot's dataset"},
    outputs={"gate": "what the gate said, JSON"},
    numbers=("candidate", "passed"),
)
def publish(params: PublishParams, io: StepIO) -> Mapping[str, bool | str | None]:
    """Publish model and data as candidate; compare it with the version that is latest."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    gate = GateResult()
    if Growth.model_validate(read_json(io.inputs["growth"])).trained:
        registry = open_registry(params.registry)
        made = Products(
            io.inputs["model"], io.inputs["data"], io.groups["parts"],
            Examination.model_validate(read_json(io.inputs["examination"])), params.config,
        )  # fmt: skip
        with holding(registry.store, params.model, plan, params.lease_s):
            gate = publish_candidate(
                registry, params.model, plan, read_decisions(io.inputs["decisions"]), made,
                io.scratch, tolerance=params.tolerance, progress=io.progress,
            )  # fmt: skip
    write_json(io.outputs["gate"], gate.model_dump(mode="json"))
    return {"candidate": gate.candidate, "passed": gate.passed}
