"""`kind: finetune`: teach a pretrained model new data that are labelled already."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lamflow.config.base import (
    Flag,
    Integer,
    Name,
    PositiveInteger,
    PositiveNumber,
    StrictModel,
    TypeMap,
    label,
)
from lamflow.config.clean import CleanSettings
from lamflow.config.datasets import Datasets, DatasetSpec
from lamflow.config.document import Loc
from lamflow.config.location import Location
from lamflow.config.model_ref import ModelRef
from lamflow.config.rules import Finding
from lamflow.config.run import Profiles, RunSettings
from lamflow.config.split import SplitSettings
from lamflow.config.train import TrainSettings

if TYPE_CHECKING:
    from lamflow.train.given import GivenModel

BEST = "best"
FRESH = "fresh"


class FinetuneTraining(TrainSettings):
    """Length, batches and learning rate of the fine-tuning."""

    learning_rate: PositiveNumber = 2e-3
    """Highest learning rate (no unit), after a twentieth of the steps; less than in pretraining,
    so that what is known is changed and not overwritten."""


class ReplaySettings(StrictModel):
    """Data that keep the old heads as they were: trained on beside the new ones."""

    datasets: tuple[DatasetSpec, ...] = ()
    """Pretraining data at hand, each named as its head; a diverse part of each is replayed and
    what is held out of it (or its `test`) shows what was forgotten."""
    frames: PositiveInteger = 200
    """Frames of each dataset; refused if fewer of them share an element with the new data."""
    pseudo: tuple[str, ...] = ()
    """Heads that learn their own answers on the new frames, where their data are not at hand."""
    weight: PositiveNumber = 0.5
    """Share of the steps of each replayed head, relative to a dataset of weight 1 (no unit)."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        names = [*(spec.name for spec in self.datasets), *self.pseudo]
        if not names:
            raise PydanticCustomError(
                "replay", "give datasets (named as the heads that they taught), or pseudo: [head]"
            )
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise PydanticCustomError(
                "replay", "{name} is replayed twice; leave one of them out", {"name": twice[0]}
            )
        return self


class OldTest(StrictModel):
    """Labelled frames that test what the model knew before."""

    name: Name
    """Head of the pretrained model that they belong to."""
    path: Location
    """Folder or file with the frames."""
    format: str | None = None
    """Format as dpdata or ASE call it; found if not given."""
    type_map: TypeMap | None = None
    """Chemical symbols of the types 0, 1, ... where the data does not name them itself."""


class _HeadSchema:
    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "anyOf": [
                {"type": "string", "examples": [BEST, FRESH]},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ]
        }


def _check_head(value: Any) -> Any:
    texts = value.values() if isinstance(value, dict) else [value]
    if not all(isinstance(text, str) and text for text in texts):
        raise PydanticCustomError(
            "head", "give a head's name, best or fresh; or one of them for each dataset's name"
        )
    return value


HeadChoice = Annotated[Any, BeforeValidator(_check_head), _HeadSchema()]


class FinetuneConfig(StrictModel):
    """Teach a pretrained model new data, and show what it knew, what it learnt and forgot."""

    kind: Literal["finetune"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-chemistry"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of all randomness: split, fresh weights, replayed frames, order of batches."""
    model: Annotated[ModelRef, Field(examples=["lamflow-runs/my-model/result/model"])]
    """The pretrained model: a model folder, a .pt file, or name@version in the registry."""
    datasets: Annotated[Datasets, Field(examples=[[{"name": "water", "path": "data/water"}]])]
    """What to learn; each dataset becomes a head of the fine-tuned model."""
    head: HeadChoice = BEST
    """Head that each dataset begins with: a name, best (smallest zero-shot force error) or fresh (a
    new fitting net); or a mapping from dataset to one of these."""
    freeze: Literal["nothing", "descriptor"] = "nothing"
    """descriptor: only the fitting nets are trained."""
    replay: ReplaySettings | None = None
    """Keep old heads beside the new ones; without it they are dropped."""
    old_tests: tuple[OldTest, ...] = ()
    """More tests of what the model knew, for heads whose data are not replayed. A head that was
    dropped is stood in for by the first dataset's, with its energies refitted."""
    compare_scratch: Flag = False
    """Train the same network from random weights on the same data, for as many steps."""
    train: Annotated[FinetuneTraining, Field(examples=[{"steps": 1000}])]
    """How to train."""
    split: SplitSettings = SplitSettings()
    """How to hold out frames."""
    clean: CleanSettings = CleanSettings()
    """What to check before training."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""

    def begin_with(self, dataset: str) -> str:
        """Return the head that a dataset begins with: its name, best or fresh."""
        chosen = self.head.get(dataset, BEST) if isinstance(self.head, dict) else self.head
        return str(chosen)

    @property
    def used(self) -> tuple[DatasetSpec, ...]:
        """Datasets whose weight is not 0."""
        return tuple(spec for spec in self.datasets if spec.weight > 0)

    @property
    def replayed(self) -> tuple[DatasetSpec, ...]:
        """Pretraining data to replay."""
        return self.replay.datasets if self.replay else ()


def head_findings(config: FinetuneConfig, model: "GivenModel") -> Iterator[Finding]:
    """Yield what the config asks of the model's heads and elements in vain."""
    if not model.trainable:
        what = "holds a frozen model only, and training can't go on from it; give a model.pt"
        yield ("model",), what
    known = ", ".join(model.heads)
    names = [spec.name for spec in config.datasets]
    choices = config.head if isinstance(config.head, dict) else {"": config.head}
    for name, choice in choices.items():
        loc: Loc = ("head", name) if name else ("head",)
        if name and name not in names:
            yield loc, f"there is no dataset '{name}'; there are {', '.join(names)}"
        if choice not in (BEST, FRESH, *model.heads):
            yield loc, f"the model has no head '{choice}'; it has {known} (or best, or fresh)"
    kept: dict[Loc, str] = {
        ("replay", "datasets", i, "name"): spec.name for i, spec in enumerate(config.replayed)
    }
    if config.replay:
        kept |= {("replay", "pseudo", i): name for i, name in enumerate(config.replay.pseudo)}
    tested: dict[Loc, str] = {
        ("old_tests", i, "name"): test.name for i, test in enumerate(config.old_tests)
    }
    for loc, name in (kept | tested).items():
        if name not in model.heads:
            yield loc, f"the model has no head '{name}'; it has {known}"
    for loc, name in kept.items():
        if label(name) in map(label, names):
            yield loc, f"'{name}' is also one of datasets; give the new dataset another name"
