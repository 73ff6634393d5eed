"""Reading a YAML file so that each value remembers its line.

Scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), not
PyYAML's 1.1: ``1e-3`` is a number, ``off`` and ``no`` are text.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lamflow.errors import InputError, Problem

Loc = tuple[str | int, ...]
"""Keys and list indices that lead to a value."""

MAX_BYTES = 1 << 20
MAX_VALUES = 20_000
MAX_DEPTH = 40
_SIBLINGS = 10_000

_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[str, str]] = {
    "null": (r"(?:~|null|Null|NULL|)", "~nN\0"),
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)", "tTfF"),
    "int": (r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)", "-+0123456789"),
    "float": (
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))",
        "-+0123456789.",
    ),
}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _name, (_pattern, _first) in _SCALARS.items():
    _firsts = ["" if letter == "\0" else letter for letter in _first]
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^{_pattern}$"), _firsts)


def _integer(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_CONSTRUCT: dict[str, Callable[[str], Any]] = {
    _TAG + "null": lambda text: None,
    _TAG + "bool": lambda text: text.lower() == "true",
    _TAG + "int": _integer,
    _TAG + "float": _float,
    _TAG + "str": str,
}
_TAGS = {*_CONSTRUCT, _TAG + "map", _TAG + "seq"}


@dataclass
class Document:
    """What a YAML file says.

    Attributes
    ----------
    data
        Plain dicts, lists and scalars.
    places
        For each value's keys, where it stands: ``file:line``.
    problems
        What is wrong with it, though it could be read: duplicate keys, strange tags.
    """

    data: Any
    places: dict[Loc, str]
    problems: list[Problem]

    def where(self, loc: Loc) -> str:
        """Place of the value at `loc`, or of the nearest mapping or list around it."""
        while loc not in self.places and loc:
            loc = loc[:-1]
        return self.places.get(loc, "")


class _TooMuchError(Exception):
    """The document grows beyond its limits when its aliases are followed."""

    def __init__(self, what: str) -> None:
        self.what = what


class _Builder:
    """Turns a tree of YAML nodes into data and places."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Loc, str] = {}
        self.problems: list[Problem] = []

    def _problem(self, node: yaml.Node, loc: Loc, what: str) -> None:
        self.problems.append(Problem(_place(self.name, node.start_mark), dotted(loc), what))

    def build(self, node: yaml.Node, loc: Loc, place: yaml.Node | None = None) -> Any:
        if len(self.places) >= MAX_VALUES:
            raise _TooMuchError(f"holds more than {MAX_VALUES} values (aliases counted)")
        if len(loc) > MAX_DEPTH:
            raise _TooMuchError(f"is nested deeper than {MAX_DEPTH} levels")
        self.places[loc] = _place(self.name, (place or node).start_mark)
        if node.tag not in _TAGS:
            self._problem(node, loc, f"the tag {node.tag} is not allowed; write a plain value")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*loc, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _TAG + "str":
                shown = (key or "nothing") if isinstance(key, str) else "a list or mapping"
                self._problem(key_node, loc, f"{shown} is no text, and keys are text; quote it")
            elif key in data:
                first = self.places[(*loc, key)]
                self._problem(key_node, (*loc, key), f"given twice; the first is at {first}")
            else:
                data[key] = self.build(value_node, (*loc, key), key_node)
        return data

    def _scalar(self, node: yaml.Node, loc: Loc) -> Any:
        try:
            return _CONSTRUCT[node.tag](node.value)
        except ValueError:
            kind = node.tag.removeprefix(_TAG)
            self._problem(node, loc, f"'{node.value[:40]}…' can't be read as {kind}")
            return None


def _place(name: str, mark: yaml.Mark) -> str:
    return f"{name}:{mark.line + 1}"


def dotted(loc: Loc) -> str:
    """Write keys as the user types them: ``datasets.0.path``."""
    return ".".join(str(key) for key in loc)


def _decode(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise InputError(
            Problem(name, "", f"is larger than {MAX_BYTES >> 20} MiB; is it a config?")
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        what = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise InputError(Problem(f"{name}:{line}", "", what)) from error


def read_text(path: Path) -> str:
    """Read a config file.

    Raises
    ------
    InputError
        If it is missing, no file, too large or not UTF-8.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(Problem(str(path), "", "is no file; give the path of a YAML file"))
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(Problem(str(path), "", missing_file(path))) from error
    except OSError as error:
        what = f"can't be read: {error.strerror}; give the path of a YAML file"
        raise InputError(Problem(str(path), "", what)) from error
    return _decode(content, str(path))


def missing_file(path: Path) -> str:
    """Say that `path` does not exist, and which name beside it is nearly the same."""
    folder = path.parent
    while not folder.exists():
        path, folder = folder, folder.parent
    try:
        siblings = sorted(item.name for item in folder.iterdir())
    except OSError:
        return f"no such file or folder, and {folder} can't be listed"
    near = suggest(path.name, siblings[:_SIBLINGS])
    return f"no such file or folder{near}" if near else f"no such file or folder in {folder}"


def nearest(given: str, known: Sequence[str]) -> str | None:
    """Return the one of `known` that `given` may be meant for, None if none looks like it."""
    import difflib

    near = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    if not near:
        bare = {item.lower().replace("_", "").replace("-", ""): item for item in known}
        hit = bare.get(given.lower().replace("_", "").replace("-", ""))
        near = [hit] if hit else [item for item in known if _starts(given, item)]
    return near[0] if near else None


def suggest(given: str, known: Sequence[str]) -> str:
    """Write ``; did you mean '…'?`` where one of `known` looks like `given`, else nothing."""
    near = nearest(given, known)
    return f"; did you mean '{near}'?" if near else ""


def _starts(given: str, known: str) -> bool:
    shorter = min(len(given), len(known))
    return shorter >= 3 and given[:shorter].lower() == known[:shorter].lower()


def _syntax(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = name if mark is None else _place(name, mark)
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(place, "", "the line is indented with a tab; YAML wants spaces")
    if re.search(r"(?<![\"'])\$\{env:", line):
        return Problem(place, "", 'not readable as YAML: put quotes around "${env:NAME}"')
    context = error.context_mark
    opened = ""
    if error.context and context and mark and context.line != mark.line:
        opened = f" ({error.context} that starts at line {context.line + 1})"
    what = f"not readable as YAML: {error.problem}{opened}; check brackets, quotes and indentation"
    return Problem(place, "", what)


def parse(text: str, name: str) -> Document:
    """Parse YAML; `name` is the file's name in messages.

    Raises
    ------
    InputError
        If it is no YAML, holds several documents, or grows out of bounds through aliases.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise InputError(_syntax(error, text, name)) from error
    except yaml.YAMLError as error:
        what = f"not readable as YAML: {' '.join(str(error).split())}"
        raise InputError(Problem(name, "", what)) from error
    except RecursionError as error:
        what = f"is nested deeper than {MAX_DEPTH} levels"
        raise InputError(Problem(name, "", what)) from error
    if node is None:
        return Document(None, {(): f"{name}:1"}, [])
    builder = _Builder(name)
    try:
        data = builder.build(node, ())
    except _TooMuchError as error:
        raise InputError(Problem(name, "", error.what)) from error
    return Document(data, builder.places, builder.problems)
