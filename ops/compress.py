"""Operator: freeze and compress a model, and write its deployment."""

from collections.abc import Mapping

from lamflow.config.base import JsonObject, StrictModel
from lamflow.deploy.build import CompressSettings, build_deployment
from lamflow.engine.operator import StepIO, operator


class CompressParams(StrictModel):
    """What to deploy, and how."""

    name: str
    """Name of the run."""
    head: str | None
    """Head of a multi-task model."""
    settings: JsonObject
    """Fields of `lamflow.deploy.build.CompressSettings`."""


@operator(
    params=CompressParams,
    inputs={"model": "model folder", "frames": "frames to compare frozen and compressed on"},
    outputs={"deploy": "model, LAMMPS input, ASE script, README and card"},
    numbers=("frames", "force_meV_per_A", "megabytes"),
)
def compress(params: CompressParams, io: StepIO) -> Mapping[str, float | None]:
    """Freeze, compress, and prove on frames that both models are the same."""
    card = build_deployment(
        io.inputs["model"], io.inputs["frames"], io.outputs["deploy"], io.scratch,
        name=params.name, head=params.head, settings=CompressSettings(**params.settings),
        progress=io.progress,
    )  # fmt: skip
    return {
        "frames": card.agreement.get("frames"),
        "force_meV_per_A": card.agreement.get("force_meV_per_A"),
        "megabytes": round((io.outputs["deploy"] / "model.pth").stat().st_size / 1e6, 2),
    }
