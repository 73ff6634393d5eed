"""From a YAML file to a checked config, or to every problem in it at once."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lamflow.config import kinds, override
from lamflow.config.datasets import DatasetSpec
from lamflow.config.document import Document, Loc, dotted, parse, read_text
from lamflow.config.fields import model_at
from lamflow.config.model import MODEL, ModelSpec
from lamflow.config.model_ref import names_model
from lamflow.config.problems import shown, translate
from lamflow.config.rules import Finding, dataset_rules, elements_rule, scalar_rules
from lamflow.errors import InputError, Problem


@dataclass(frozen=True)
class LoadedConfig:
    """A config and where it came from.

    Attributes
    ----------
    config
        The model of its kind; paths in it are absolute, defaults are filled in.
    path
        The YAML file.
    text
        What is written in it.
    lines
        For each value's keys, its place: ``file:line``, or ``--set``.
    """

    config: BaseModel
    path: Path
    text: str
    lines: Mapping[Loc, str]

    def where(self, loc: Loc) -> str:
        """Place of the value at `loc`, or of the nearest value around it."""
        return Document(None, dict(self.lines), []).where(loc)


@dataclass(frozen=True)
class Draft:
    """A config file as far as it could be read.

    Attributes
    ----------
    document
        The YAML with overrides.
    config
        The whole config, None if some of it is wrong.
    datasets
        Entries of `datasets:` that are right by themselves, by index.
    model
        The entry `model:` if it is a preset with overrides and right by itself.
    problems
        All that was found so far.
    """

    path: Path
    text: str
    document: Document
    config: BaseModel | None
    datasets: Mapping[int, DatasetSpec]
    model: ModelSpec | None
    problems: Sequence[Problem]

    def finish(self, more: Sequence[Problem] = ()) -> LoadedConfig:
        """Return the config; raise InputError with all problems in the order of the file."""
        problems = [*self.problems, *more]
        if problems or self.config is None:
            raise InputError(*sorted(dict.fromkeys(problems), key=_order))
        return LoadedConfig(self.config, self.path, self.text, self.document.places)


def _order(problem: Problem) -> tuple[str, int]:
    name, _, line = problem.where.rpartition(":")
    return (name, int(line)) if line.isdecimal() else (problem.where, 0)


def load_config(
    path: Path, overrides: Sequence[str] = (), stages: Sequence[str] = ()
) -> LoadedConfig:
    """Read a config and check its form; data is not looked at (see `lamflow.config.checks`).

    Parameters
    ----------
    path
        YAML file; relative paths in it start from its folder.
    overrides
        ``a.b=value`` assignments that change it.
    stages
        Stages of a pipeline whose models it may name, as ``stage:NAME``.

    Raises
    ------
    InputError
        With every problem that was found.
    """
    return read_draft(path, overrides, stages).finish()


def read_draft(path: Path, overrides: Sequence[str] = (), stages: Sequence[str] = ()) -> Draft:
    """Read a config and note what is wrong with its form; see `load_config`.

    Raises
    ------
    InputError
        If it is too broken for noting: unreadable, no mapping, no known kind.
    """
    text = read_text(path)
    document = parse(text, str(path))
    _check_mapping(document, path)
    for assignment in overrides:
        override.apply(document, assignment)
    model = _model(document)
    folder = Path(os.path.normpath(path.absolute())).parent  # the path itself may hold ".."
    context = {"folder": folder, "environment": os.environ, "stages": tuple(stages)}
    problems = list(document.problems)
    config: BaseModel | None = None
    try:
        config = model.model_validate(document.data, context=context)
    except ValidationError as failure:
        unread = {problem.key for problem in problems}
        problems += [p for p in translate(failure, model, document) if p.key not in unread]
    datasets = _valid_datasets(document.data, model, context)
    spec = _valid_model(document.data, model)
    known = {problem.key for problem in problems}
    problems += [
        Problem(document.where(loc), dotted(loc), what)
        for loc, what in _findings(document.data, model, datasets, spec)
        if dotted(loc) not in known
    ]
    return Draft(path, text, document, config, datasets, spec, problems)


def _check_mapping(document: Document, path: Path) -> None:
    if document.data is None:
        what = "the file is empty; `lamflow init pretrain` writes one to start from"
        raise InputError(Problem(str(path), "", what))
    if not isinstance(document.data, dict):
        given = shown(document.data)
        what = (
            f"{given} is given, a mapping is wanted; the first line is for example kind: pretrain"
        )
        raise InputError(Problem(document.where(()), "", what))


def _model(document: Document) -> type[BaseModel]:
    if "kind" not in document.data:
        what = f"is missing; for example kind: pretrain (there are {', '.join(kinds.names())})"
        raise InputError(*document.problems, Problem(document.where(()), "kind", what))
    try:
        return kinds.model_of(document.data["kind"])
    except InputError as error:
        place = document.where(("kind",))
        raise InputError(
            *document.problems, *(Problem(place, "kind", p.what) for p in error.problems)
        ) from error


def _valid_datasets(
    data: Mapping[str, Any], model: type[BaseModel], context: dict[str, Any]
) -> dict[int, DatasetSpec]:
    """Return the entries of `datasets:` that are right; some kinds ask for more of each."""
    own = model_at(model, ("datasets", 0))
    spec = own if own and issubclass(own, DatasetSpec) else DatasetSpec
    entries = data.get("datasets")
    valid = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        try:
            valid[index] = spec.model_validate(entry, context=context)
        except ValidationError:
            continue  # reported from the whole config
    return valid


def _valid_model(data: Mapping[str, Any], model: type[BaseModel]) -> ModelSpec | None:
    """Return the preset that `model:` names, in kinds where it names one."""
    if model_at(model, ("model",)) is not ModelSpec or names_model(data.get("model")):
        return None
    try:
        return MODEL.validate_python(data.get("model"))
    except ValidationError:
        return None  # reported from the whole config


def _findings(
    data: Mapping[str, Any],
    model: type[BaseModel],
    datasets: Mapping[int, DatasetSpec],
    spec: ModelSpec | None,
) -> Iterator[Finding]:
    yield from scalar_rules(data, model)
    entries = data.get("datasets")
    complete = isinstance(entries, list) and len(entries) == len(datasets)
    yield from dataset_rules(datasets, complete)
    if spec is not None and spec.type_map is not None:
        yield from elements_rule(spec.type_map, ("model", "type_map"))
