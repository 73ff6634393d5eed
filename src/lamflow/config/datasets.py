"""The `datasets:` list that every kind of config shares."""

from typing import Annotated

from pydantic import Field

from lamflow.config.base import Name, Number, StrictModel, TypeMap, label
from lamflow.config.location import Location
from lamflow.config.task import ENERGY, AnyTask, Task


class DatasetSpec(StrictModel):
    """One dataset: where it lies and how much it counts."""

    name: Annotated[Name, Field(examples=["water"])]
    """Name of the dataset and of its head in the model: lower case letters, digits, - and _."""
    path: Annotated[Location, Field(examples=["data/water"])]
    """Folder or file with the frames, relative to this file, or s3://bucket/prefix."""
    weight: Annotated[Number, Field(ge=0)] = 1.0
    """How often the head is trained, relative to the others (no unit); 0 leaves it out."""
    test: Location | None = None
    """A test set of its own; without it a part of `path` is held out (see `split`)."""
    format: str | None = None
    """Format as dpdata or ASE call it, such as deepmd/npy/mixed or extxyz; found if not given."""
    type_map: Annotated[TypeMap | None, Field(examples=[["H", "O"]])] = None
    """Chemical symbols of the types 0, 1, ... where the data does not name them itself."""
    dft: str | None = None
    """Code, functional and basis that made the labels; goes into the card."""
    licence: str | None = None
    """Licence of the data, best as an SPDX name; goes into the card."""
    source: str | None = None
    """Where the data came from (URL or DOI); goes into the card."""

    @property
    def label(self) -> str:
        """The name as Kubernetes accepts it."""
        return label(self.name)


Datasets = Annotated[tuple[DatasetSpec, ...], Field(min_length=1)]
"""All datasets of a config, in the order of the file."""


class TaskDatasetSpec(DatasetSpec):
    """One dataset and what its head learns from it."""

    task: Task = ENERGY
    """What the head learns: energy (with forces and virials), denoise, property, dipole, dos or
    spin."""


def task_of(spec: DatasetSpec) -> AnyTask:
    """What a dataset's head learns; energies in kinds that know nothing else."""
    return spec.task if isinstance(spec, TaskDatasetSpec) else ENERGY


TaskDatasets = Annotated[tuple[TaskDatasetSpec, ...], Field(min_length=1)]
"""All datasets of a config whose heads may have other tasks than energies."""


class RawDatasetParams(StrictModel):
    """A dataset as the user has it: what the operators that read it are told."""

    name: str
    """Name of the dataset."""
    format: str | None = None
    """Format of the raw data; found out if not given."""
    type_map: tuple[str, ...] | None = None
    """Elements of the types, where the data do not tell."""
    dft: str | None = None
    """Method of the labels, for the card."""
    licence: str | None = None
    """Licence, for the card."""
    source: str | None = None
    """Where the data come from, for the card."""
