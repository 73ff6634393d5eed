"""What a head of a model learns from its dataset."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lamflow.config.base import (
    Flag,
    Number,
    PositiveInteger,
    PositiveNumber,
    StrictModel,
    TypeMap,
)


class EnergyTask(StrictModel):
    """Energies, forces and virials: a potential."""

    kind: Literal["energy"] = "energy"
    """What is learnt."""

    @property
    def label(self) -> None:
        """Name of the label's file; energies are no further label."""


class DenoiseTask(StrictModel):
    """Structures without labels: coordinates are noised and elements masked, both are to be found.

    The frames should be at rest (relaxed or equilibrium structures), so that the way back to them
    is that of the forces.
    """

    kind: Literal["denoise"] = "denoise"
    """What is learnt."""
    noise: Literal["gaussian", "uniform"] = "gaussian"
    """Distribution of the coordinates' noise."""
    sigma_A: PositiveNumber = 0.1  # noqa: N815
    """Standard deviation of each coordinate's noise, Å."""
    mask: Annotated[Number, Field(ge=0, lt=1)] = 0.15
    """Fraction of the atoms whose element is hidden."""

    @property
    def label(self) -> None:
        """No label is needed."""


class PropertyTask(StrictModel):
    """A number, or some that do not turn with the frame, for each frame."""

    kind: Literal["property"] = "property"
    """What is learnt."""
    label: Annotated[
        str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$"), Field(examples=["band_gap"])
    ]
    """Name of the label: set.*/LABEL.npy of the dataset, (frames, dimension)."""
    dimension: PositiveInteger = 1
    """How many numbers for each frame."""
    intensive: Flag = True
    """Whether the property is an average over atoms (a band gap) and not a sum (an energy)."""
    unit: str = ""
    """Its unit, for tables and plots."""


class DipoleTask(StrictModel):
    """A vector for each frame that turns with it, a sum over atoms."""

    kind: Literal["dipole"] = "dipole"
    """What is learnt."""
    unit: str = ""
    """Its unit, for tables and plots."""

    @property
    def label(self) -> str:
        """Name of the label's file, (frames, 3)."""
        return "dipole"

    @property
    def dimension(self) -> int:
        """Numbers for each frame."""
        return 3


class DosTask(StrictModel):
    """A density of states for each frame, a sum over atoms."""

    kind: Literal["dos"] = "dos"
    """What is learnt."""
    bins: Annotated[PositiveInteger, Field(examples=[250])]
    """Points of the density of states, on one grid of energies for all frames."""
    unit: str = "1/eV"
    """Its unit, for tables and plots."""

    @property
    def label(self) -> str:
        """Name of the label's file, (frames, bins)."""
        return "dos"

    @property
    def dimension(self) -> int:
        """Numbers for each frame."""
        return self.bins


class SpinTask(StrictModel):
    """Energies, forces and magnetic forces of frames with magnetic moments (DeepSpin)."""

    kind: Literal["spin"] = "spin"
    """What is learnt."""
    elements: Annotated[TypeMap, Field(examples=[["Ni"]])]
    """Elements that have a magnetic moment."""
    scale: PositiveNumber = 0.3
    """Distance of the virtual atom that stands for a moment, over the moment (Å/μB)."""

    @property
    def label(self) -> str:
        """Name of the label's file: moments, (frames, 3·atoms) μB; and force_mag beside it."""
        return "spin"


def _from_name(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class _NameOrMapping:
    """Tells editors that a bare name will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        names = {"enum": ["energy", "denoise", "dipole"], "description": "A task with defaults."}
        return {"anyOf": [names, handler(core_schema)]}


AnyTask = EnergyTask | DenoiseTask | PropertyTask | DipoleTask | DosTask | SpinTask
Task = Annotated[
    Annotated[AnyTask, Field(discriminator="kind")], BeforeValidator(_from_name), _NameOrMapping()
]
"""A task's name, or a mapping with its `kind` and settings."""

ENERGY = EnergyTask()
