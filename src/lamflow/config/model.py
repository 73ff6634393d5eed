"""Which network to train: a preset, with what is to be different."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lamflow.config.base import JsonObject, StrictModel, TypeMap


class ModelSpec(StrictModel):
    """A preset and what is changed in it."""

    preset: Annotated[str, Field(examples=["dpa1-tiny"])]
    """Name of the preset to start from, such as dpa1-tiny."""
    type_map: Annotated[TypeMap | None, Field(examples=[["H", "O"]])] = None
    """Chemical symbols that the model knows; without it, the elements of the datasets."""
    descriptor: JsonObject = Field(default_factory=dict)
    """Keys of deepmd's `model.descriptor` that replace the preset's, such as rcut (Å)."""
    fitting_net: JsonObject = Field(default_factory=dict)
    """Keys of deepmd's `model.fitting_net` that replace the preset's, such as neuron."""

    @property
    def overrides(self) -> JsonObject:
        """What is laid over the preset, by section of deepmd's `model`; empty ones left out."""
        sections = {"descriptor": self.descriptor, "fitting_net": self.fitting_net}
        return {name: section for name, section in sections.items() if section}


def _from_name(value: Any) -> Any:
    return {"preset": value} if isinstance(value, str) else value


class _NameOrMapping:
    """Tells editors that a bare name will do."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "description": "A preset."}, handler(core_schema)]}


Model = Annotated[ModelSpec, BeforeValidator(_from_name), _NameOrMapping()]
"""A preset's name, or a mapping that names one in `preset` and overrides parts of it."""

MODEL: TypeAdapter[ModelSpec] = TypeAdapter(Model)
