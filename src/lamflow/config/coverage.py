"""`kind: coverage`: whether a model covers datasets already, and what of them is worth learning."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lamflow.config.base import Integer, Name, Number, PositiveInteger, StrictModel
from lamflow.config.clean import CleanSettings
from lamflow.config.datasets import Datasets
from lamflow.config.location import Location
from lamflow.config.model_ref import ModelRef
from lamflow.config.run import Profiles, RunSettings


class CoverageSettings(StrictModel):
    """How the comparison is made."""

    confidence: Annotated[Number, Field(ge=0.5, le=0.99)] = 0.9
    """Part of the frames like the training set that is to count as covered; 0.5 to 0.99."""
    training_frames: Annotated[Integer, Field(ge=20)] = 2000
    """Frames of the training data, at most, that new ones are compared with."""
    calibration_frames: Annotated[Integer, Field(ge=20)] = 500
    """Frames, at most, that were held out of training and show what is usual."""
    subset: PositiveInteger = 200
    """Frames that are proposed for training, at most."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class _OneOrMore:
    """Tells editors that one will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        return {"anyOf": [schema["items"], schema]}


class TrainingSet(StrictModel):
    """Data that taught the model."""

    name: Name
    """Name; where it is that of a head of the model, the data belong to that head."""
    path: Location
    """Dataset, or a folder with train/ and validation/ or test/ as lamflow divides datasets."""


class CoverageConfig(StrictModel):
    """Compare datasets with what a model knows: covered, borderline or new, frame by frame."""

    kind: Literal["coverage"]
    """What to do."""
    name: Annotated[Name, Field(examples=["is-it-new"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of all randomness: samples of frames and atoms."""
    model: Annotated[
        tuple[ModelRef, ...],
        Field(min_length=1, examples=["lamflow-runs/my-model/result/model"]),
        BeforeValidator(_listed),
        _OneOrMore(),
    ]
    """A trained model, or the list of a committee's members; the first is the one that is judged.
    A model folder, a .pt or .pth file, or name@version in the registry."""
    head: str | None = None
    """Head of the model; without it, the one that fits the dataset best."""
    training: Annotated[
        tuple[TrainingSet, ...], Field(examples=[[{"name": "x", "path": "x"}]])
    ] = ()
    """What the model was trained on; not needed for a model in the result/ of a run of lamflow that
    is still there."""
    datasets: Annotated[Datasets, Field(examples=[[{"name": "water", "path": "data/water"}]])]
    """What may be new; labelled or not, each is judged by itself."""
    coverage: CoverageSettings = CoverageSettings()
    """What counts as covered, and how many frames are looked at."""
    clean: CleanSettings = CleanSettings()
    """What is checked in each frame first."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""
