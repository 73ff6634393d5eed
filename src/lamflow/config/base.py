"""The base of all config models, and the types that their fields share."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints


class StrictModel(BaseModel):
    """A model that knows all its keys, can't be changed, and refuses NaN and infinity."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


# YAML has types of its own: a quoted "2000" or `true` where a number belongs is a mistake.
Integer = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]

NAME_PATTERN = r"^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
NAME_LENGTH = 40
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=NAME_LENGTH)]
"""A name that becomes a folder, a model's head and (see `label`) a Kubernetes label."""

TypeMap = Annotated[tuple[str, ...], Field(min_length=1)]
"""Chemical symbols; the types of atoms are numbers of this list, from 0."""

JsonObject = dict[str, Any]
PositiveInteger = Annotated[Integer, Field(gt=0)]
PositiveNumber = Annotated[Number, Field(gt=0)]


def is_name(text: str) -> bool:
    """Tell whether `text` can be a `Name`."""
    return len(text) <= NAME_LENGTH and re.fullmatch(NAME_PATTERN, text) is not None


def label(name: str) -> str:
    """Return `name` as Kubernetes wants names of objects: underscores become dashes."""
    return name.replace("_", "-")
