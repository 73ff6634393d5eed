"""`kind: pipeline`: several workflow files as one graph, later stages on the models of earlier."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from lamflow.config.base import JsonObject, Name, StrictModel, label
from lamflow.config.document import parse, read_text
from lamflow.config.location import Location
from lamflow.config.model_ref import STAGE
from lamflow.config.run import Profiles, RunSettings


class StageSpec(StrictModel):
    """One workflow file and what is different in it here."""

    name: Name
    """Name of the stage, its steps' prefix and its folder in the result; without it, the name of
    its file."""
    file: Annotated[Location, Field(examples=["pretrain.yaml"])]
    """The workflow file, of any kind but pipeline."""
    model: str | None = None
    """Earlier stage whose model this one takes, instead of the `model` (the `teacher` of distill)
    in its file."""
    set: JsonObject = Field(default_factory=dict)
    """Keys to change in the file, as --set does: {train.steps: 500}."""

    @property
    def label(self) -> str:
        """The name as Kubernetes accepts it."""
        return label(self.name)

    def overrides(self) -> list[str]:
        """What is changed in the file, as ``key=value``."""
        changes = [f"{key}={json.dumps(value)}" for key, value in self.set.items()]
        if self.model is None:
            return changes
        return [*changes, f"{self._model_key()}={STAGE}{self.model}"]

    def kind(self) -> object:
        """Return the kind in the file; InputError if it can't be read."""
        return self._data().get("kind")

    def _data(self) -> Mapping[str, Any]:
        data = parse(read_text(Path(self.file)), self.file).data
        return data if isinstance(data, Mapping) else {}

    def _model_key(self) -> str:
        """Return the key under which the file's kind names its model."""
        data = self._data()
        if data.get("kind") == "distill":
            return "teacher"
        if data.get("kind") == "learn" and "pretrained" in data:
            return "pretrained.path" if isinstance(data["pretrained"], Mapping) else "pretrained"
        return "model"


def _named(value: Any) -> Any:
    """Name stages after their files where they have no name."""
    if not isinstance(value, list):
        return value
    return [_with_name({"file": entry} if isinstance(entry, str) else entry) for entry in value]


def _with_name(entry: Any) -> Any:
    if isinstance(entry, dict) and "name" not in entry and isinstance(entry.get("file"), str):
        return {"name": Path(entry["file"]).stem, **entry}
    return entry


class _FileOrMapping:
    """Tells editors that a bare path will do, and that the name has a default."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        found = handler.resolve_ref_schema(schema["items"])
        found["required"] = ["file"]
        path = {"type": "string", "description": "A workflow file."}
        return {**schema, "items": {"anyOf": [path, schema["items"]]}}


def _ordered(stages: tuple[StageSpec, ...]) -> tuple[StageSpec, ...]:
    """Look whether names are distinct and models come from earlier stages."""
    seen: list[str] = []
    for stage in stages:
        if stage.label in map(label, seen):
            raise PydanticCustomError(
                "stages", "'{name}' is used twice; give each stage a name of its own",
                {"name": stage.name},
            )  # fmt: skip
        if stage.model is not None and stage.model not in seen:
            raise PydanticCustomError(
                "stages", "stage '{name}' takes the model of '{model}', which is no earlier stage; "
                "there are {known}",
                {"name": stage.name, "model": stage.model, "known": ", ".join(seen) or "none"},
            )  # fmt: skip
        seen.append(stage.name)
    return stages


class PipelineConfig(StrictModel):
    """Run several workflow files as one: pretrain, fine-tune, distil, compress, evaluate."""

    kind: Literal["pipeline"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-pipeline"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    stages: Annotated[
        tuple[StageSpec, ...],
        Field(min_length=1, examples=[["pretrain.yaml", {"file": "e.yaml", "model": "pretrain"}]]),
        BeforeValidator(_named),
        _FileOrMapping(),
        AfterValidator(_ordered),
    ]
    """Workflow files, in order: a path, or a mapping with `file` and what is different."""
    run: RunSettings = RunSettings()
    """Time limits and retries of all stages; those in their files do not count."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile; those in the stages' files do not
    count."""
