"""Operator: what the model knows of a contributed dataset already."""

from collections.abc import Mapping

from lamflow.config.coverage import CoverageSettings
from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.select.coverage import CoverageLimits
from lamflow.update.base import find_base
from lamflow.update.holding import holding
from lamflow.update.plan import Plan
from lamflow.update.vet import Verdict, leave_empty
from lamflow.update.weigh import Novelty
from lamflow.update.weigh import weigh as compare


class WeighParams(PlaceParams):
    """How a dataset is compared with what the model knows."""

    settings: CoverageSettings = CoverageSettings()
    """How much is looked at."""
    seed: int
    """Draws samples."""


@operator(
    params=WeighParams,
    inputs={"plan": "what is worked on", "verdict": "what was found", "parts": "its parts"},
    outputs={"novelty": "what is new in it, JSON", "coverage": "coverage.json, map.npz"},
    numbers=("dataset", "covered", "share", "best_head"),
)
def weigh(params: WeighParams, io: StepIO) -> Mapping[str, bool | float | str | None]:
    """Compare a dataset with what the version before knows: nothing new, or worth learning."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    verdict = Verdict.model_validate(read_json(io.inputs["verdict"]))
    novelty = Novelty()
    if verdict.good:
        registry = open_registry(params.registry)
        with holding(registry.store, params.model, plan, params.lease_s):
            novelty = compare(
                find_base(registry, plan), io.inputs["parts"], io.outputs["coverage"],
                io.scratch, CoverageLimits(**params.settings.model_dump()), params.seed,
                progress=io.progress,
            )  # fmt: skip
    else:
        leave_empty(io.outputs["coverage"], "there was nothing to compare")
    write_json(io.outputs["novelty"], novelty.model_dump(mode="json"))
    return {
        "dataset": verdict.name, "covered": novelty.covered, "share": novelty.share,
        "best_head": novelty.best_head,
    }  # fmt: skip
