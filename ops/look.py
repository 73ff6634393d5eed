"""Operator: what is there to do for an update."""

from collections.abc import Mapping

from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json
from lamflow.registry.open import open_registry
from lamflow.update.plan import Work, make_plan


class LookParams(PlaceParams):
    """Where to look, and what was seen when the run was submitted."""

    max_datasets: int
    """Datasets of one update."""
    owner: str = ""
    """Who takes the lease; empty: nobody but this attempt."""
    fixed: Work | None = None
    """What there was to do at submission; null: see now."""


@operator(
    params=LookParams,
    outputs={"plan": "what is worked on, JSON"},
    numbers=("datasets", "waiting", "base"),
)
def look(params: LookParams, io: StepIO) -> Mapping[str, int | str | None]:
    """Take the lease and fix which datasets are worked on, on top of which version."""
    plan = make_plan(
        open_registry(params.registry), params.model, params.max_datasets, params.lease_s,
        params.owner, params.fixed,
    )  # fmt: skip
    write_json(io.outputs["plan"], plan.model_dump(mode="json"))
    return {"datasets": len(plan.datasets), "waiting": len(plan.waiting), "base": plan.base}
