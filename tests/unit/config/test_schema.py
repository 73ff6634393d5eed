"""The JSON schema and the template agree with the loader."""

from pathlib import Path

import jsonschema
import pytest
import yaml
from model_folders import write_model_folder
from wrong_configs import BASE, FORM

from lamflow.config import kinds
from lamflow.config.loader import load_config
from lamflow.config.schema import json_schema
from lamflow.config.template import template_text
from lamflow.errors import InputError

KINDS = kinds.names()


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_one_and_describes_every_field(kind: str) -> None:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    models = [schema, *schema["$defs"].values()]
    for model in models:
        assert model["additionalProperties"] is False
        for name, field in model["properties"].items():
            assert field.get("description"), f"{model['title']}.{name}"


def test_the_schema_takes_the_canonical_file() -> None:
    jsonschema.validate(yaml.safe_load(BASE), json_schema("pretrain"))


@pytest.mark.parametrize(
    "name", ["typo in train", "no name", "no steps at all", "text for a number", "a decision"]
)
def test_the_schema_refuses_what_the_loader_refuses(name: str) -> None:
    (case,) = (case for case in FORM if case.name == name)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(case.content), json_schema("pretrain"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_template_loads_and_is_short(kind: str, tmp_path: Path) -> None:
    text = template_text(kind)
    path = tmp_path / f"{kind}.yaml"
    write_model_folder(tmp_path / "lamflow-runs/my-model/result/model", "water", "metals")
    path.write_text(text)
    assert load_config(path).config.model_dump()["kind"] == kind
    assert len(text.splitlines()) <= 25
    jsonschema.validate(yaml.safe_load(text), json_schema(kind))


def test_there_is_no_schema_of_an_unknown_kind() -> None:
    with pytest.raises(InputError, match="unknown kind 'pretain'; did you mean 'pretrain'"):
        json_schema("pretain")
