"""How a model is trained."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lamflow.config.base import JsonObject, PositiveInteger, PositiveNumber, StrictModel
from lamflow.config.document import parse, read_text
from lamflow.config.location import resolve
from lamflow.errors import InputError

AUTO_BATCH = re.compile(r"^(auto|mixed|max|filter):[1-9][0-9]*$")


def _check_batch(value: Any) -> int | str:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if whole or (isinstance(value, str) and (value == "auto" or AUTO_BATCH.fullmatch(value))):
        return value  # type: ignore[no-any-return]
    raise PydanticCustomError(
        "batch",
        "{given} is no batch size; give frames per step as a whole number above 0, or "
        '"auto:N" for as many frames as make at least N atoms, such as batch: "auto:32"',
        {"given": repr(value)},
    )


class _BatchSchema:
    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "pattern": f"{AUTO_BATCH.pattern}|^auto$"}
        return {"anyOf": [{"type": "integer", "minimum": 1}, text]}


Batch = Annotated[int | str, PlainValidator(_check_batch), _BatchSchema()]
"""Frames per step: a number, or deepmd's "auto:N", "mixed:N", "max:N", "filter:N"."""


def _read_input(value: Any, info: ValidationInfo) -> Any:
    """Replace the path of a DeePMD-kit input file (JSON or YAML) by what is in it."""
    if not isinstance(value, str):
        return value
    path = Path(resolve(value, info))
    try:
        text = read_text(path)
        content = json.loads(text) if path.suffix == ".json" else parse(text, str(path)).data
    except (InputError, ValueError) as error:
        reason = str(error) if isinstance(error, InputError) else f"{path}: not JSON: {error}"
        raise PydanticCustomError("deepmd_file", "{reason}", {"reason": reason}) from error
    if not isinstance(content, dict):
        raise PydanticCustomError(
            "deepmd_file", "{path} holds no mapping of DeePMD-kit keys", {"path": str(path)}
        )
    return content


class _InputSchema:
    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "description": "Path of a DeePMD-kit input file."}
        return {"anyOf": [text, handler(core_schema)]}


DeepmdInput = Annotated[JsonObject, BeforeValidator(_read_input), _InputSchema()]
"""DeePMD-kit input as a mapping, or the path of a file with it."""


class TrainSettings(StrictModel):
    """Length, batches and learning rate of a training, and how many processes do it."""

    steps: Annotated[PositiveInteger, Field(examples=[2000])]
    """Training steps (batches), over all heads together."""
    batch: Batch = "auto:32"
    """Frames per step, or "auto:N" for as many frames as make at least N atoms."""
    learning_rate: PositiveNumber = 5e-3
    """Highest learning rate (no unit), after a twentieth of the steps; then it falls
    exponentially."""
    decay: Annotated[PositiveNumber, Field(le=1)] = 5e-3
    """Learning rate at the last step divided by the highest (no unit)."""
    committee: PositiveInteger = 1
    """Models trained on the same data from different seeds: seed, seed+1, ..."""
    processes: PositiveInteger = 1
    """Processes that train one model together (torchrun): one a GPU, or on CPUs one or more
    cores. Each takes a batch of its own in every step."""
    threads: PositiveInteger | None = None
    """CPU threads of each process; without it, its share of those that may be used."""
    save_every: PositiveInteger = 200
    """Steps between checkpoints; a training that was cut off goes on from the last."""
    report_every: PositiveInteger | None = None
    """Steps between points of the learning curve; without it, a hundredth of `steps`."""
    deepmd: DeepmdInput = Field(default_factory=dict)
    """DeePMD-kit's own input (mapping or path of a file), laid over what lamflow makes."""
