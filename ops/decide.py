"""Operator: what is done with each dataset of an update."""

from collections.abc import Mapping

from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.update.base import find_base
from lamflow.update.decide import decide as judge
from lamflow.update.plan import Plan
from lamflow.update.vet import Verdict
from lamflow.update.weigh import Novelty


class DecideParams(PlaceParams):
    """Which heads learn new data."""

    join: dict[str, str]
    """Dataset to the head that it is added to."""
    fresh: bool
    """Whether new heads begin with random weights."""


@operator(
    params=DecideParams,
    inputs={"plan": "what is worked on"},
    groups={"verdicts": "what was found, by slot", "novelties": "what is new, by slot"},
    outputs={"decisions": "what is done with each dataset, JSON"},
    numbers=("quarantined", "covered", "train"),
)
def decide(params: DecideParams, io: StepIO) -> Mapping[str, int]:
    """Quarantine, record, or train: for each dataset, with the reason."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    base = find_base(open_registry(params.registry), plan, fetch=False) if plan.datasets else None
    decisions = judge(
        {n: Verdict.model_validate(read_json(p)) for n, p in io.groups["verdicts"].items()},
        {n: Novelty.model_validate(read_json(p)) for n, p in io.groups["novelties"].items()},
        tuple(base.content.card.heads) if base else (),
        params.join,
        params.fresh,
    )
    write_json(io.outputs["decisions"], [one.model_dump(mode="json") for one in decisions])
    return {
        what: sum(one.decision == what for one in decisions)
        for what in ("quarantined", "covered", "train")
    }
