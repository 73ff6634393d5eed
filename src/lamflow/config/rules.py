"""What a config must keep to beyond the types of its fields: rules across fields."""

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from lamflow.config.datasets import DatasetSpec, task_of
from lamflow.config.document import Loc, suggest
from lamflow.config.fields import marked, type_at
from lamflow.config.location import TakesEnvironment, uses_environment

Finding = tuple[Loc, str]


def dataset_rules(specs: Mapping[int, DatasetSpec], complete: bool) -> Iterator[Finding]:
    """Yield what is wrong among datasets, given those that are valid by themselves.

    `complete` says that all of the list's entries are among them.
    """
    yield from _repeated(specs)
    if complete and specs and all(spec.weight == 0 for spec in specs.values()):
        yield ("datasets",), "all weights are 0, nothing would be trained; raise at least one"
    for index, spec in specs.items():
        yield from _overlap(index, spec)
        if spec.type_map is not None:
            yield from elements_rule(spec.type_map, ("datasets", index, "type_map"))


def _repeated(specs: Mapping[int, DatasetSpec]) -> Iterator[Finding]:
    names: dict[str, str] = {}
    paths: dict[tuple[str, str], str] = {}
    for index, spec in specs.items():
        if spec.label in names:
            what = f"'{spec.name}' is taken by another dataset; each needs a name of its own"
            if names[spec.label] != spec.name:
                what += f" ('-' and '_' count as the same: '{names[spec.label]}')"
            yield ("datasets", index, "name"), what
        taught = (spec.path, task_of(spec).model_dump_json())  # two tasks may share their frames
        if taught in paths:
            what = f"is also the path of dataset '{paths[taught]}'; leave one of them out"
            yield ("datasets", index, "path"), what
        names.setdefault(spec.label, spec.name)
        paths.setdefault(taught, spec.name)


def _overlap(index: int, spec: DatasetSpec) -> Iterator[Finding]:
    if spec.test is None:
        return
    train, test = PurePath(spec.path), PurePath(spec.test)
    if test.is_relative_to(train) or train.is_relative_to(test):
        how = "is the training data itself" if train == test else "overlaps the training data"
        what = f"the test set {how}; give a set of its own, or leave 'test' out to hold out a part"
        yield ("datasets", index, "test"), what


def elements_rule(type_map: tuple[str, ...], loc: Loc) -> Iterator[Finding]:
    """Yield the entries of a type_map that are no chemical symbols, or come twice."""
    from ase.data import chemical_symbols

    symbols = chemical_symbols[1:]
    for index, symbol in enumerate(type_map):
        if symbol not in symbols:
            near = suggest(symbol.capitalize(), symbols) if symbol.capitalize() in symbols else ""
            yield (*loc, index), f"'{symbol}' is no chemical symbol{near}"
        elif symbol in type_map[:index]:
            yield (*loc, index), f"'{symbol}' is listed twice; types are numbered by this list"


def scalar_rules(data: Any, model: type[BaseModel], loc: Loc = ()) -> Iterator[Finding]:
    """Yield NaN, infinity, and environment variables where none are replaced."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from scalar_rules(value, model, (*loc, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from scalar_rules(value, model, (*loc, index))
    elif isinstance(data, float) and not math.isfinite(data):
        yield loc, f"{data} is given, a finite number is wanted"
    elif isinstance(data, str) and uses_environment(data):
        declared = type_at(model, loc)
        if not marked(declared, TakesEnvironment):
            what = "environment variables are replaced in paths of datasets only; write the value"
            yield loc, what
