"""`kind: learn`: concurrent learning: explore, select, label, train, until good enough."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lamflow.config.base import Flag, Integer, Name, PositiveInteger, StrictModel
from lamflow.config.datasets import DatasetSpec
from lamflow.config.learn_steps import (
    Converged,
    ExploreSpec,
    LabelSpec,
    LoopTraining,
    SelectSettings,
    StartSettings,
)
from lamflow.config.location import Location
from lamflow.config.model import Model
from lamflow.config.model_ref import ModelRef, names_model
from lamflow.config.run import Profiles, RunSettings


class StructureSpec(StrictModel):
    """Frames that the exploration starts from."""

    name: Name
    """Name: lower case letters, digits, - and _."""
    path: Location
    """File or folder that ASE or dpdata reads; each frame in it is a start. Labels are ignored."""


def named(value: Any) -> Any:
    """Give names to structures that are bare paths."""
    if not isinstance(value, list):
        return value
    return [
        {"name": f"structure-{number}", "path": entry} if isinstance(entry, str) else entry
        for number, entry in enumerate(value, start=1)
    ]


class PathOrMapping:
    """Tells editors that a bare path will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        path = {"type": "string", "description": "A path."}
        return {**schema, "items": {"anyOf": [path, schema["items"]]}}


class PretrainedSpec(StrictModel):
    """A model to begin with."""

    path: ModelRef
    """Model folder, such as result/model of another run, a .pt file, or name@version in the
    registry."""
    head: str = "best"
    """Head to begin with: a name, best (smallest zero-shot force error on `test`, or on the first
    labels held out), or fresh for a new fitting net."""


def _from_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class _ReferenceOrMapping:
    """Tells editors that a bare path or reference will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "description": "A model's path, or name@version."}
        return {"anyOf": [text, handler(core_schema)]}


Pretrained = Annotated[PretrainedSpec, BeforeValidator(_from_path), _ReferenceOrMapping()]


class LabelledSpec(DatasetSpec):
    """Labelled frames of the user's, and when they join."""

    iteration: Annotated[Integer, Field(ge=0, le=99)] = 0
    """Iteration whose training they join, 0: the first one. What earlier iterations did stays as
    it is, so frames can be added to a loop that is half done."""


class Budget(StrictModel):
    """What the loop may cost; raising it and submitting again goes on from there."""

    labels: PositiveInteger
    """Frames given to the labeller, those of the start and failed ones included."""
    iterations: Annotated[Integer, Field(ge=1, le=99)]
    """Rounds of explore, select, label, train."""


def distinct(specs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse two specs of one name."""
    names = [spec.name for spec in specs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PydanticCustomError(
            "names", "{names} is used twice; give each a name of its own", {"names": twice[0]}
        )
    return specs


class LearnConfig(StrictModel):
    """Improve a model by itself: find frames that it is unsure of, label them, train again."""

    kind: Literal["learn"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-molecule"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of all randomness: weights, velocities, selection."""
    structures: Annotated[
        tuple[StructureSpec, ...],
        Field(min_length=1, examples=[["ethanol.xyz"]]),
        BeforeValidator(named),
        PathOrMapping(),
        AfterValidator(distinct),
    ]
    """Where the exploration starts: paths, or mappings with `name` and `path`."""
    model: Annotated[Model | None, Field(examples=["dpa1-tiny"])] = None
    """A preset's name, or a mapping that overrides parts of one: trained from scratch in each
    iteration. Either this or `pretrained`."""
    pretrained: Pretrained | None = None
    """A model that is fine-tuned in each iteration, instead of `model`: a path or registered
    version, or a mapping with `path` and `head`."""
    train: Annotated[LoopTraining, Field(examples=[{"steps": 2000}])]
    """How each member of the committee is trained, in each iteration."""
    label: Annotated[LabelSpec, Field(examples=[{"engine": "tblite"}])]
    """What gives frames their labels."""
    explore: Annotated[
        tuple[ExploreSpec, ...],
        Field(min_length=1, examples=[[{"name": "nvt300", "settings": {"steps": 500}}]]),
        AfterValidator(distinct),
    ]
    """How new frames are found; all of these in each iteration."""
    select: SelectSettings = SelectSettings()
    """Which frames are labelled."""
    budget: Annotated[Budget, Field(examples=[{"labels": 100, "iterations": 3}])]
    """What the loop may cost."""
    converged: Converged = Converged()
    """When the loop is over before the budget is."""
    start: StartSettings = StartSettings()
    """The first labels, where `datasets` gives none."""
    datasets: Annotated[tuple[LabelledSpec, ...], AfterValidator(distinct)] = ()
    """Frames that are labelled already, by the same method as `label`; optional."""
    test: Location | None = None
    """Labelled frames that only test; without it, the labels held out by select.hold_out do."""
    compare_scratch: Flag = False
    """With `pretrained`: train the same network from random weights on the final labels, for as
    many steps, and compare."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""

    @model_validator(mode="before")
    @classmethod
    def _model_or_preset(cls, data: Any) -> Any:
        """Take a trained model given as `model:`, as in the other kinds, for `pretrained`."""
        if isinstance(data, dict) and "pretrained" not in data and names_model(data.get("model")):
            rest = {key: value for key, value in data.items() if key != "model"}
            return {**rest, "pretrained": data["model"]}
        return data

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if (self.model is None) == (self.pretrained is None):
            raise PydanticCustomError(
                "model", "give either model (trained from scratch) or pretrained (fine-tuned)"
            )
        return self

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if self.compare_scratch and self.pretrained is None:
            raise PydanticCustomError(
                "scratch", "compare_scratch needs pretrained; with a preset it is from scratch"
            )
        return self

    @model_validator(mode="after")
    def _explorable(self) -> Self:
        known = {spec.name for spec in self.structures}
        for spec in self.explore:
            if unknown := sorted(set(spec.structures) - known):
                raise PydanticCustomError(
                    "structures",
                    "explore {name} names structure {unknown}; there are {known}",
                    {"name": spec.name, "unknown": unknown[0], "known": ", ".join(sorted(known))},
                )
        stages = {spec.stage for spec in self.explore}
        if missing := sorted(set(range(1, self.stages + 1)) - stages):
            raise PydanticCustomError(
                "stages",
                "nothing is explored in stage {missing}; number the stages 1, 2, ...",
                {"missing": missing[0]},
            )
        late = [spec for spec in self.datasets if spec.iteration > self.budget.iterations]
        if late:
            raise PydanticCustomError(
                "datasets",
                "dataset {name} joins in iteration {iteration}, after the last one; raise "
                "budget.iterations",
                {"name": late[0].name, "iteration": late[0].iteration},
            )
        return self

    @model_validator(mode="after")
    def _affordable(self) -> Self:
        if self.first_labels >= self.budget.labels:
            raise PydanticCustomError(
                "budget",
                "start.frames ({start}) spends all of budget.labels ({labels}); raise "
                "budget.labels or lower start.frames",
                {"start": self.first_labels, "labels": self.budget.labels},
            )
        return self

    @property
    def first_labels(self) -> int:
        """Frames labelled before the first iteration."""
        if self.start.frames is not None:
            return self.start.frames
        begins = any(spec.iteration == 0 for spec in self.datasets)
        return 0 if begins else self.select.labels

    @property
    def stages(self) -> int:
        """Number of stages of the exploration."""
        return max(spec.stage for spec in self.explore)

    def allowance(self, iteration: int) -> int:
        """Return how many frames may have been labelled by the end of an iteration.

        It depends on the budget only where the budget is what limits it, so that a bigger budget
        leaves the earlier iterations as they were.
        """
        return min(self.first_labels + iteration * self.select.labels, self.budget.labels)
