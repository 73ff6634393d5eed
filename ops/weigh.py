"""Operator: what the model knows of a contributed dataset already."""

from collections.abc import Mapping

from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.update.base import find_base
from lamflow.update.holding import holding
from lamflow.update.plan import Plan
from lamflow.update.vet import Verdict
from lamflow.update.weigh import Novelty
from lamflow.update.weigh import weigh as compare


class WeighParams(PlaceParams):
    """When a dataset has nothing new."""

    error_ratio: float
    """Largest zero-shot error relative to the head's own test error."""


@operator(
    params=WeighParams,
    inputs={"plan": "what is worked on", "verdict": "what was found", "parts": "its parts"},
    outputs={"novelty": "what is new in it, JSON"},
    numbers=("dataset", "covered", "best_head"),
)
def weigh(params: WeighParams, io: StepIO) -> Mapping[str, bool | str | None]:
    """Compare a dataset with what the version before knows: nothing new, or worth learning."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    verdict = Verdict.model_validate(read_json(io.inputs["verdict"]))
    novelty = Novelty()
    if verdict.good:
        registry = open_registry(params.registry)
        with holding(registry.store, params.model, plan, params.lease_s):
            novelty = compare(
                find_base(registry, plan), io.inputs["parts"], error_ratio=params.error_ratio,
                progress=io.progress,
            )  # fmt: skip
    write_json(io.outputs["novelty"], novelty.model_dump(mode="json"))
    return {
        "dataset": verdict.name, "covered": novelty.covered, "best_head": novelty.best_head,
    }  # fmt: skip
