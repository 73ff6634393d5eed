"""Turning pydantic's errors into sentences that say what to type."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lamflow.config.document import Document, Loc, dotted, nearest, suggest
from lamflow.config.fields import example_at, model_at
from lamflow.errors import Problem

_SHOWN = 60
_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def shown(value: Any) -> str:
    """Write a value as a YAML user knows it, cut if it is long."""
    words = {None: "nothing", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        return f"the text {_cut(repr(value))}"
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _homes(model: type[BaseModel], key: str) -> list[str]:
    """Return the sections of `model` that know `key`."""
    sections = ((name, model_at(model, (name,))) for name in model.model_fields)
    return [name for name, section in sections if section and key in section.model_fields]


def _home(error: ErrorDetails, model: type[BaseModel]) -> type[BaseModel]:
    return model_at(model, error["loc"][:-1]) or model


def _meant(error: ErrorDetails, model: type[BaseModel]) -> str | None:
    """Return the key of the same mapping that an unknown one is probably meant for."""
    key = str(error["loc"][-1])
    if key in model.model_fields or _homes(model, key):
        return None  # right, but elsewhere
    known = sorted(_home(error, model).model_fields)
    word, colon, _ = key.partition(":")
    return word if colon and word in known else nearest(key, known)


def _unknown_key(error: ErrorDetails, model: type[BaseModel]) -> str:
    key = str(error["loc"][-1])
    meant = _meant(error, model)
    if meant and key.startswith(f"{meant}:"):
        return f"unknown key; a space is missing after '{meant}:'"
    if meant:
        return f"unknown key; did you mean '{meant}'?"
    if key in model.model_fields:
        return f"unknown key here; '{key}' belongs at the top level"
    if homes := _homes(model, key):
        return f"unknown key here; '{key}' belongs under '{homes[0]}:'"
    return f"unknown key; the keys here are {', '.join(sorted(_home(error, model).model_fields))}"


def _missing(error: ErrorDetails, model: type[BaseModel]) -> str:
    example = example_at(model, error["loc"])
    return "is missing" + (f"; for example {error['loc'][-1]}: {example}" if example else "")


def _wrong_type(error: ErrorDetails, model: type[BaseModel]) -> str:
    example = example_at(model, error["loc"])
    what = f"{shown(error['input'])} is given, {_WANTED[error['type']]} is wanted"
    return what + (f"; for example {error['loc'][-1]}: {example}" if example else "")


def _bound(error: ErrorDetails, model: type[BaseModel]) -> str:
    word, name = _BOUNDS[error["type"]]
    limit = error["ctx"][name]
    return f"{shown(error['input'])} is given, it must be {word} {limit:.10g}"


def _choice(error: ErrorDetails, model: type[BaseModel]) -> str:
    choices = [
        item.strip("'") for item in error["ctx"]["expected"].replace(" or ", ", ").split(", ")
    ]
    near = suggest(error["input"], choices) if isinstance(error["input"], str) else ""
    return f"{shown(error['input'])} is given, it must be one of {', '.join(choices)}{near}"


def _tag(error: ErrorDetails, model: type[BaseModel]) -> str:
    context = error["ctx"]
    choices = [item.strip("'") for item in context["expected_tags"].split(", ")]
    given = context["tag"]
    return f"'{given}' is given, it must be one of {', '.join(choices)}{suggest(given, choices)}"


def _no_tag(error: ErrorDetails, model: type[BaseModel]) -> str:
    return f"key {error['ctx']['discriminator']} is missing: it says what this is"


def _name(error: ErrorDetails, model: type[BaseModel]) -> str:
    return (
        f"{_cut(repr(error['input']))} can't be a name: use lower case letters, digits, '-' "
        "and '_', with a letter or digit first and last"
    )


def _long(error: ErrorDetails, model: type[BaseModel]) -> str:
    length = len(error["input"])
    return f"has {length} characters, at most {error['ctx']['max_length']} are possible; shorten it"


def _empty(error: ErrorDetails, model: type[BaseModel]) -> str:
    return "is empty; list at least one"


_SENTENCES: dict[str, Callable[[ErrorDetails, type[BaseModel]], str]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "literal_error": _choice,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _no_tag,
    "string_pattern_mismatch": _name,
    "string_too_long": _long,
    "too_short": _empty,
    **dict.fromkeys(_WANTED, _wrong_type),
    **dict.fromkeys(_BOUNDS, _bound),
}


def _sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    say = _SENTENCES.get(error["type"])
    return say(error, model) if say else error["msg"]


def _without_echoes(errors: list[ErrorDetails], model: type[BaseModel]) -> Iterable[ErrorDetails]:
    """Leave out what only follows from another error.

    That is "x is missing" where a misspelt key beside it is taken for x, and "is empty" of a list
    whose entries are all wrong.
    """
    meant = {
        (*error["loc"][:-1], _meant(error, model))
        for error in errors
        if error["type"] == "extra_forbidden"
    }
    return [
        error
        for error in errors
        if not (error["type"] == "missing" and error["loc"] in meant)
        and not (error["type"] == "too_short" and error["input"])
    ]


def _loc_in_file(loc: Loc, data: Any) -> Loc:
    """Return pydantic's loc without its own marks: ``[key]`` of a bad dictionary key, and which of
    several models a mapping was read as.
    """  # noqa: D205
    kept: list[str | int] = []
    for place, key in enumerate(loc):
        inside = isinstance(data, dict) and key in data
        inner = place < len(loc) - 1
        if key == "[key]" or (inner and (key == data or (isinstance(data, dict) and not inside))):
            continue
        kept.append(key)
        here = inside or (isinstance(data, list) and isinstance(key, int) and key < len(data))
        data = data[key] if here else None
    return tuple(kept)


def translate(
    failure: ValidationError, model: type[BaseModel], document: Document
) -> list[Problem]:
    """Return one problem for each of pydantic's errors, with its place in the file."""
    errors = failure.errors(include_url=False)
    return [
        Problem(document.where(loc), dotted(loc), _sentence(error, model))
        for error in _without_echoes(errors, model)
        for loc in [_loc_in_file(error["loc"], document.data)]
    ]
