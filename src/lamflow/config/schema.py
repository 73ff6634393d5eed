"""The JSON schema of a kind, for editors."""

from typing import Any

from lamflow.config import kinds

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a kind's YAML, with a description of each field.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    model = kinds.model_of(kind)
    title = f"lamflow {kind}"
    return {"$schema": DIALECT, **model.model_json_schema(), "title": title}
