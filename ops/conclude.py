"""Operator: write down what became of each dataset, and release the new version."""

from collections.abc import Mapping

from lamflow.config.update import PlaceParams
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.update.finish import finish
from lamflow.update.ledger import Ending
from lamflow.update.plan import Plan


@operator(
    params=PlaceParams,
    inputs={"plan": "what is worked on", "ending": "how it ended", "report": "the report"},
    outputs={"ending": "what was recorded, JSON"},
    numbers=("concluded", "release"),
)
def conclude(params: PlaceParams, io: StepIO) -> Mapping[str, int | str | None]:
    """Store the report, record the outcomes, move `latest` if the gate was open."""
    ending = finish(
        open_registry(params.registry),
        params.model,
        Plan.model_validate(read_json(io.inputs["plan"])),
        Ending.model_validate(read_json(io.inputs["ending"])),
        io.inputs["report"],
    )
    write_json(io.outputs["ending"], ending.model_dump(mode="json"))
    return {"concluded": len(ending.outcomes), "release": ending.release}
