"""`kind: update`: new datasets of the inbox become the next version of a model."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lamflow.config.base import (
    Integer,
    Name,
    Number,
    PositiveInteger,
    PositiveNumber,
    StrictModel,
)
from lamflow.config.coverage import CoverageSettings
from lamflow.config.evaluate import Properties
from lamflow.config.location import Location
from lamflow.config.model import Model
from lamflow.config.run import Profiles, RunSettings
from lamflow.config.split import SplitSettings
from lamflow.config.train import TrainSettings
from lamflow.data.checks.settings import CheckSettings
from lamflow.registry.names import ReleaseName

_MOST_PARTS = 2  # of the model's name; the datasets of its heads have two parts more

Fraction = Annotated[Number, Field(ge=0, le=1)]


class AcceptSettings(StrictModel):
    """What is asked of a contributed dataset."""

    licences: tuple[str, ...] = ()
    """Licences that are taken, as in the card, such as CC-BY-4.0; empty: any, but one is needed."""
    largest_loss: Fraction = 0.5
    """Largest fraction of its frames (0 to 1) that cleaning may set aside; beyond it the whole
    dataset goes to quarantine."""


class HeadSettings(StrictModel):
    """Which heads learn the new data, and how much the others rehearse."""

    start: Literal["best", "fresh"] = "best"
    """What a new head begins with: the head that fits the data best, or random weights."""
    join: dict[Name, Name] = Field(default_factory=dict)
    """Dataset in the inbox to the head that it is added to. Without an entry a dataset that is
    called as a head is added to it, and any other becomes a new head."""
    replay: Annotated[Number, Field(gt=0, lt=1)] = 0.5
    """Share of the training steps (0 to 1) for heads that learn nothing new, on their own data."""


class GateSettings(StrictModel):
    """When a new version becomes latest."""

    tolerance: Annotated[Number, Field(ge=0)] = 0.05
    """Largest relative increase of an error on a test set of the version before (no unit)."""


class UpdateConfig(StrictModel):
    """Check what lies in the inbox, train the model further on what is new, test it, release it."""

    kind: Literal["update"]
    """What to do."""
    name: Annotated[Name, Field(examples=["nightly"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of all randomness: cleaning, split, weights, order of batches."""
    registry: Annotated[Location, Field(examples=["s3://my-bucket/registry"])]
    """Registry with the inbox, relative to this file, or s3://bucket/prefix."""
    model: Annotated[ReleaseName, Field(examples=["openlam/dpa1-tiny"])]
    """Name of the model in the registry; it goes on from the version that is latest."""
    first: Model | None = None
    """Network of the first version, a preset's name or a mapping, where there is none yet."""
    train: Annotated[TrainSettings, Field(examples=[{"steps": 2000}])]
    """How to train each version."""
    max_datasets: Annotated[PositiveInteger, Field(le=20)] = 4
    """Datasets that one update takes on; the others wait for the next."""
    accept: AcceptSettings = AcceptSettings()
    """What is asked of a dataset."""
    checks: CheckSettings = CheckSettings()
    """How it is cleaned: what to do about each fault."""
    split: SplitSettings = SplitSettings()
    """How to hold out frames of it."""
    coverage: CoverageSettings = CoverageSettings()
    """How it is compared with what the model knows; what is covered is not trained on."""
    heads: HeadSettings = HeadSettings()
    """What learns it."""
    properties: Properties = ()
    """Systems whose properties each version must keep within their limits, or the path of a YAML
    file with such a list; a system is left out while its head is not there."""
    gate: GateSettings = GateSettings()
    """When the result is released."""
    lease: PositiveNumber = 120.0
    """So long after an update died another may begin, minutes."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""

    @model_validator(mode="after")
    def _short_name(self) -> Self:
        if self.model.count("/") >= _MOST_PARTS:
            raise PydanticCustomError(
                "model",
                "{model} has more than {most} parts; the datasets of its heads are registered "
                "below its name",
                {"model": self.model, "most": _MOST_PARTS},
            )
        return self

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if self.train.committee != 1:
            raise PydanticCustomError("committee", "an update trains one model; train.committee: 1")
        return self

    @model_validator(mode="after")
    def _test_set(self) -> Self:
        if self.split.test == 0:
            raise PydanticCustomError(
                "split", "split.test is 0, and the gate needs frames to test on; 0.1 for example"
            )
        return self


class PlaceParams(StrictModel):
    """Where an update works: what each of its operators is told."""

    registry: str
    """Path or s3:// address."""
    model: str
    """Name of the model."""
    lease_s: float
    """Length of the lease, s."""
