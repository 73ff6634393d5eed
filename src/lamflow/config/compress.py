"""`kind: compress`: freeze and compress a model, and write what an application needs."""

from typing import Annotated, Literal

from pydantic import Field

from lamflow.config.base import (
    Flag,
    Name,
    PositiveInteger,
    PositiveNumber,
    StrictModel,
)
from lamflow.config.location import Location
from lamflow.config.model_ref import ModelRef
from lamflow.config.run import Profiles, RunSettings


class TableSpec(StrictModel):
    """The grid that the embedding net is tabulated on."""

    stride: Annotated[PositiveNumber, Field(le=1)] = 0.01
    """Spacing of the fine part, in units of the net's argument."""
    extrapolate: Annotated[PositiveNumber, Field(ge=1)] = 5.0
    """How many times the fine part's range the coarse part covers: atoms that come nearer than in
    any frame are still in the table."""


class CheckSpec(StrictModel):
    """When the compressed model counts as the same as the frozen one."""

    frames: PositiveInteger = 100
    """Frames to compare on, at most; spread evenly over those given."""
    energy: PositiveNumber = 0.1
    """Largest allowed difference, meV/atom."""
    force: PositiveNumber = 5.0
    """Largest allowed difference of a force component, meV/Å; float32 rounds forces of 10 eV/Å to
    about 1."""
    virial: PositiveNumber = 1.0
    """Largest allowed difference of a virial component, meV/atom."""


class Deployment(StrictModel):
    """How a model is made fast and proven to be the same."""

    compress: Flag = True
    """false deploys the frozen model: for models that DeePMD-kit can't compress."""
    table: TableSpec = TableSpec()
    """How finely it is tabulated."""
    check: CheckSpec = CheckSpec()
    """When the compressed model counts as the same."""

    def settings(self) -> dict[str, float | bool | int]:
        """Fields of `lamflow.deploy.build.CompressSettings`."""
        return {
            "compress": self.compress,
            "stride": self.table.stride,
            "extrapolate": self.table.extrapolate,
            "frames": self.check.frames,
            "energy_meV_per_atom": self.check.energy,
            "force_meV_per_A": self.check.force,
            "virial_meV_per_atom": self.check.virial,
        }


class CompressConfig(Deployment):
    """Freeze and compress a model, prove that it is the same, write the deployment and a report."""

    kind: Literal["compress"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-fast-model"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    model: Annotated[ModelRef, Field(examples=["lamflow-runs/my-model/result/model"])]
    """The model: a model folder, a .pt or .pth file, or name@version in the registry."""
    head: str | None = None
    """Head of a multi-task model; not needed if there is only one."""
    frames: Annotated[Location, Field(examples=["data/water"])]
    """Frames to compare frozen and compressed model on: a dataset or structures that ASE reads.
    They should be like those of the application; labels are not needed."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""
