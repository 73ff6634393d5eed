"""Operator: check, clean and divide one dataset of the inbox."""

from collections.abc import Mapping

from lamflow.config.update import PlaceParams
from lamflow.data.checks.settings import CheckSettings
from lamflow.engine.operator import StepIO, operator
from lamflow.files import read_json, write_json
from lamflow.registry.open import open_registry
from lamflow.update.holding import holding
from lamflow.update.plan import Plan
from lamflow.update.vet import Rules, Verdict, leave_empty
from lamflow.update.vet import vet as judge


class VetParams(PlaceParams):
    """Which dataset of the plan, and what is asked of it."""

    slot: int
    """Place in the plan, from 1."""
    licences: tuple[str, ...]
    """Licences that are taken; empty: any."""
    largest_loss: float
    """Largest fraction of frames that cleaning may set aside."""
    checks: CheckSettings
    """Decisions of the cleaning."""
    fractions: dict[str, float]
    """Fraction of the good frames for each part."""
    seed: int
    """Of cleaning and splitting."""


@operator(
    params=VetParams,
    inputs={"plan": "what is worked on"},
    outputs={
        "verdict": "what was found, JSON",
        "parts": "train/, validation/, test/",
        "quarantine": "rejected frames, flags and reasons",
    },
    numbers=("dataset", "good", "frames_in", "frames_good"),
)
def vet(params: VetParams, io: StepIO) -> Mapping[str, int | str | bool | None]:
    """Fetch a contributed dataset; check checksum, licence, format and labels; divide the rest."""
    plan = Plan.model_validate(read_json(io.inputs["plan"]))
    if params.slot > len(plan.datasets):
        verdict = Verdict()
        for port in ("parts", "quarantine"):
            leave_empty(io.outputs[port], "there was no dataset for this slot")
    else:
        store = open_registry(params.registry).store
        rules = Rules(
            params.licences, params.largest_loss, params.checks, params.fractions, params.seed
        )
        with holding(store, params.model, plan, params.lease_s):
            verdict = judge(
                store, plan.datasets[params.slot - 1], rules, io.outputs["parts"],
                io.outputs["quarantine"], io.scratch, io.progress,
            )  # fmt: skip
    write_json(io.outputs["verdict"], verdict.model_dump(mode="json"))
    return {
        "dataset": verdict.name, "good": verdict.good, "frames_in": verdict.frames_in,
        "frames_good": verdict.frames_good,
    }  # fmt: skip
