"""`kind: evaluate`: test a model on standard sets and by the properties that it predicts."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lamflow.config.base import Integer, Name, Number, StrictModel, label
from lamflow.config.clean import CleanSettings
from lamflow.config.datasets import DatasetSpec
from lamflow.config.document import parse, read_text
from lamflow.config.location import Location, resolve
from lamflow.config.model_ref import ModelRef
from lamflow.config.run import Profiles, RunSettings
from lamflow.errors import InputError
from lamflow.evaluate.properties.suite import PROPERTIES, Crystal, MdSettings, PropertyTest


class TestSetSpec(DatasetSpec):
    """A standard set, and which head of the model is tested on it."""

    __test__ = False  # pytest would take it for a test

    name: Annotated[Name, Field(examples=["water"])]
    """Name of the set; one that is a head's name makes the set that head's own."""
    weight: Annotated[Number, Field(ge=0)] = 1.0
    """How much its errors count in the weighted mean (no unit); 0: tested, but not counted."""
    test: Location | None = None
    """Frames to test on instead of those at `path`, which then serve to fit references only."""
    head: str | None = None
    """Head to test. Without it the head of the set's name; if there is none, the head that fits
    best once its references are refitted (zero-shot)."""
    references: Literal["auto", "refit", "keep"] = "auto"
    """keep: energies as the model gives them. refit: an energy for each element is fitted first,
    as another functional needs. auto: kept for a head's own set and where the head is named."""


def _as_test(value: Any) -> Any:
    return {"property": value} if isinstance(value, str) else value


class _NameOrMapping:
    """Tells editors that a property's name will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "enum": list(PROPERTIES)}, handler(core_schema)]}


Test = Annotated[PropertyTest, BeforeValidator(_as_test), _NameOrMapping()]


class PropertySpec(StrictModel):
    """A system and what is computed of it."""

    name: Annotated[Name, Field(examples=["w-bcc"])]
    """Name of the system: lower case letters, digits, - and _."""
    crystal: Crystal | None = None
    """A crystal of one element. Either this or `structure`."""
    structure: Location | None = None
    """File that ASE or dpdata reads; its first frame is the system."""
    head: str | None = None
    """Head of the model; not needed if there is only one."""
    tests: Annotated[tuple[Test, ...], Field(min_length=1, examples=[["bulk modulus"]])]
    """Properties: a name, or a mapping with `property` and its limits."""
    md: MdSettings = MdSettings()
    """How the dynamics go, for energy drift, survival, RDF peak, diffusion and speed."""

    @property
    def label(self) -> str:
        """The name as Kubernetes accepts it."""
        return label(self.name)

    @model_validator(mode="after")
    def _one_system(self) -> Self:
        if (self.crystal is None) == (self.structure is None):
            what = "give either crystal: {element, structure, a} or structure: FILE"
            raise PydanticCustomError("system", "{what}", {"what": what})
        names = [test.property for test in self.tests]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise PydanticCustomError(
                "tests", "'{name}' is tested twice; leave one out", {"name": twice[0]}
            )
        return self


def _read_suite(value: Any, info: ValidationInfo) -> Any:
    """Replace the path of a suite by what is in it."""
    if not isinstance(value, str):
        return value
    path = Path(resolve(value, info))
    try:
        document = parse(read_text(path), str(path))
        if document.problems:
            raise InputError(*document.problems)
    except InputError as error:
        raise PydanticCustomError("suite", "{reason}", {"reason": str(error)}) from error
    if not isinstance(document.data, list):
        what = f"{path} holds no list of systems; begin it with: - name: ..."
        raise PydanticCustomError("suite", "{what}", {"what": what})
    return document.data


class _PathOrList:
    """Tells editors that a path will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "description": "Path of a YAML file with the list."}
        return {"anyOf": [text, handler(core_schema)]}


def _distinct(specs: tuple[PropertySpec, ...]) -> tuple[PropertySpec, ...]:
    names = [spec.label for spec in specs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PydanticCustomError(
            "names", "{name} is used twice; give each system a name of its own", {"name": twice[0]}
        )
    return specs


Properties = Annotated[
    tuple[PropertySpec, ...],
    BeforeValidator(_read_suite),
    _PathOrList(),
    AfterValidator(_distinct),
]
"""Systems with their tests, or the path of a YAML file with this list."""


class EvaluateConfig(StrictModel):
    """Test a model: errors on standard sets, zero-shot errors on new ones, properties."""

    kind: Literal["evaluate"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-exam"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of what is drawn: frames that references are fitted to, points in plots."""
    model: Annotated[ModelRef, Field(examples=["lamflow-runs/my-model/result/model"])]
    """The model: its folder, a .pt or .pth file, or name@version in the registry."""
    datasets: Annotated[
        tuple[TestSetSpec, ...], Field(examples=[[{"name": "water", "path": "data/water"}]])
    ] = ()
    """Standard sets to test on."""
    properties: Properties = ()
    """Systems whose properties are computed, or the path of a YAML file with such a list."""
    refit_fraction: Annotated[Number, Field(gt=0, lt=1)] = 0.2
    """Part of a set's frames (0 to 1) that references are refitted to where the set has no `test`
    of its own; these frames are not tested on."""
    clean: CleanSettings = CleanSettings()
    """What to check before testing."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.datasets and not self.properties:
            raise PydanticCustomError(
                "nothing", "there is nothing to test; give datasets or properties"
            )
        return self
