"""Operator: run the deployed student."""

from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.distill.proof import DynamicsSettings
from lamflow.distill.proof import prove_dynamics as prove
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json


class ProveDynamicsParams(StrictModel):
    """How long it runs."""

    settings: DynamicsSettings
    """Lengths, temperature and time step."""


@operator(
    params=ProveDynamicsParams,
    inputs={
        "deploy": "the deployment",
        "teacher": "model folder of one head",
        "structure": "where to start",
    },
    outputs={"dynamics": "drift, survival, structure and elasticity as JSON"},
    numbers=("survived_ps", "drift_meV_per_atom_per_ns"),
)
def prove_dynamics(params: ProveDynamicsParams, io: StepIO) -> Mapping[str, float | None]:
    """Survival in NVT, drift in NVE, g(r), equation of state, elastic constants."""
    found = prove(
        io.inputs["deploy"], io.inputs["teacher"], io.inputs["structure"], params.settings,
        progress=io.progress,
    )  # fmt: skip
    write_json(io.outputs["dynamics"], found)
    return {
        "survived_ps": min(run["survived_ps"] for run in found["nvt"]),
        "drift_meV_per_atom_per_ns": found["nve"].get("drift_meV_per_atom_per_ns"),
    }
