"""Finding the model's field that keys of a config lead to."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from lamflow.config.document import Loc


def _without_none(annotation: Any) -> Any:
    options = [option for option in get_args(annotation) if option is not type(None)]
    return options[0]


def bare(annotation: Any) -> Any:
    """Return a type without `Annotated` and without `None`."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            annotation = _without_none(annotation)
        else:
            return annotation


def marked(annotation: Any, mark: type) -> bool:
    """Whether a type, or a part of it that is not a container's item, carries `mark`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        return any(isinstance(item, mark) for item in marks) or marked(inner, mark)
    if origin in (Union, types.UnionType):
        return marked(_without_none(annotation), mark)
    return False


def _of_tag(annotation: Any, tag: str | int) -> Any:
    """Return the one of several models whose `kind` is `tag`, as pydantic's places name it."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in (Union, types.UnionType):
        return None
    for option in get_args(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            field = option.model_fields.get("kind")
            if field is not None and field.default == tag:
                return option
    return None


def _child(annotation: Any, key: str | int) -> Any:
    """Return the type of one entry, None if there is none or anything goes."""
    if chosen := _of_tag(annotation, key):
        return chosen
    annotation = bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(key))
        if field is None:
            return None
        return Annotated[field.annotation, *field.metadata, field]
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    return None


def type_at(model: type[BaseModel], loc: Loc) -> Any:
    """Return the declared type of the value at `loc`, None if no field is declared there."""
    annotation: Any = model
    for key in loc:
        annotation = _child(annotation, key)
        if annotation is None:
            return None
    return annotation


def model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """Return the model of the mapping at `loc`, None if it is free-form."""
    found = bare(type_at(model, loc))
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def example_at(model: type[BaseModel], loc: Loc) -> str:
    """Return an example of the value at `loc` as YAML, empty if the field names none."""
    parent = model_at(model, loc[:-1]) if loc else None
    field = parent.model_fields.get(str(loc[-1])) if parent else None
    if not field or not field.examples:
        return ""
    text = yaml.safe_dump(field.examples[0], default_flow_style=True, sort_keys=False)
    return text.removesuffix("...\n").strip()
