"""``--set a.b=value``: changing a config from the command line."""

from typing import Any

from lamflow.config.document import Document, Loc, dotted, parse
from lamflow.errors import InputError, Problem

WHERE = "--set"


def apply(document: Document, assignment: str) -> None:
    """Set one value in `document`; the value is read as YAML.

    Lists are entered by index or by the `name:` of an entry: ``datasets.tio2.weight=2``.

    Raises
    ------
    InputError
        If `assignment` is not ``key=value`` or its keys lead nowhere.
    """
    key, equals, text = assignment.partition("=")
    if not equals or not key or not all(key.split(".")):
        what = f"{assignment!r} is not of the form key=value; for example --set train.steps=500"
        raise InputError(Problem(WHERE, "", what))
    value = _parse_value(text, key)
    parent = document.data
    loc: Loc = ()
    *parents, last = key.split(".")
    for word in parents:
        index = _index(parent, word, loc, key)
        if isinstance(parent, dict) and parent.get(word) is None:
            parent[word] = {}
        parent = parent[index]
        loc = (*loc, index)
    index = _index(parent, last, loc, key)
    parent[index] = value
    _move(document, (*loc, index))


def _parse_value(text: str, key: str) -> Any:
    try:
        parsed = parse(text, WHERE)
    except InputError as error:
        raise InputError(Problem(WHERE, key, error.problems[0].what)) from error
    if parsed.problems:
        raise InputError(*(Problem(WHERE, key, problem.what) for problem in parsed.problems))
    return parsed.data


def _index(parent: Any, word: str, loc: Loc, key: str) -> str | int:
    """Return the key or index that `word` means in `parent`."""
    if isinstance(parent, dict):
        return word
    if not isinstance(parent, list):
        what = f"'{dotted(loc)}' is a plain value in the file, it has no '{word}' to set"
        raise InputError(Problem(WHERE, key, what))
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in parent]
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < len(parent):
        return int(word)
    known = ", ".join(str(name) for name in names if name) or "none has a name"
    what = f"'{dotted(loc)}' has no entry '{word}'; use 0 to {len(parent) - 1} or a name ({known})"
    raise InputError(Problem(WHERE, key, what))


def _move(document: Document, loc: Loc) -> None:
    """Note that the value at `loc` now comes from the command line."""
    for old in [place for place in document.places if place[: len(loc)] == loc]:
        del document.places[old]
    for depth in range(1, len(loc) + 1):
        if loc[:depth] not in document.places:
            document.places[loc[:depth]] = WHERE
