"""A trained model, as a config names it: a path, or a version in the registry."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lamflow.config.location import TakesEnvironment, is_remote, resolve
from lamflow.errors import InputError

MODEL_SUFFIXES = (".pt", ".pth")
"""A checkpoint, and a frozen model."""
STAGE = "stage:"
"""What a reference to the model of an earlier stage of a pipeline begins with."""
_CARD = "card.json"


class NamesModel:
    """Marks a field that names a trained model."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core_schema), "examples": ["lamflow-runs/my-model/result/model"]}


def names_model(value: Any) -> bool:
    """Whether a text can only mean a trained model, and not a preset."""
    from lamflow.registry.names import is_reference

    if not isinstance(value, str):
        return False
    if is_stage(value) or is_reference(value):
        return True
    return "/" in value or value.endswith(MODEL_SUFFIXES)


def is_stage(reference: str) -> bool:
    """Whether a reference means the model of a stage of a pipeline, which is not there yet."""
    return reference.startswith(STAGE)


def _resolve(text: str, info: ValidationInfo) -> str:
    """Make a path absolute and look whether a model is there; check a reference's form."""
    from lamflow.registry.names import is_reference, parse_reference

    if is_stage(text):
        if text.removeprefix(STAGE) not in (info.context or {}).get("stages", ()):
            raise _fail("'{text}' names a stage of a pipeline; only `kind: pipeline` has them, and "
                        "its `stages:` say model: NAME", text=text)  # fmt: skip
        return text
    if is_reference(text):
        try:
            parse_reference(text)
        except InputError as error:
            raise _fail("{what}", what=str(error)) from None
        return text
    folder = (info.context or {}).get("folder")
    if folder is not None and text.startswith("../"):
        # Runs lie in the working directory, YAML files often in a folder of it.
        text = str((folder / text).resolve())
    location = resolve(text, info)
    if folder is not None and not is_remote(location):
        _look(Path(location))
    return location


def _look(path: Path) -> None:
    if path.is_dir():
        if not (path / _CARD).is_file():
            what = "'{path}' has no card.json; give a model folder, such as result/model of a run"
            raise _fail(what, path=str(path))
    elif not path.is_file():
        what = (
            "there is no model at '{path}'; give a model folder (card.json and model.pt), a .pt or "
            ".pth file, or a registered version such as openlam/dpa2-small@latest"
        )
        raise _fail(what, path=str(path))
    elif path.suffix not in MODEL_SUFFIXES:
        raise _fail("'{path}' is neither a model folder nor a .pt or .pth file", path=str(path))


def _fail(message: str, **values: str) -> PydanticCustomError:
    return PydanticCustomError("model", message, values)


ModelRef = Annotated[str, AfterValidator(_resolve), TakesEnvironment(), NamesModel()]
"""A model folder (card.json beside model.pt), a .pt or .pth file, or name@version in the registry.

Paths are relative to the YAML file. `lamflow.engine.inputs.model_source_of` makes it an input.
"""
