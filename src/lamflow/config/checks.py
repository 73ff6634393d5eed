"""Looks at what a config points to: whether the data are there, readable and fit for training."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from lamflow.config.datasets import DatasetSpec, task_of
from lamflow.config.document import Loc, dotted, missing_file
from lamflow.config.evaluate import EvaluateConfig
from lamflow.config.fields import marked, type_at
from lamflow.config.finetune import FinetuneConfig, head_findings
from lamflow.config.loader import Draft, LoadedConfig, read_draft
from lamflow.config.location import is_remote
from lamflow.config.model import ModelSpec
from lamflow.config.model_ref import NamesModel, is_stage
from lamflow.config.pipeline import PipelineConfig
from lamflow.config.pretrain import PretrainConfig
from lamflow.config.rules import Finding
from lamflow.config.task import AnyTask, EnergyTask, SpinTask
from lamflow.data.frames import System
from lamflow.errors import InputError, Problem

if TYPE_CHECKING:
    from lamflow.data.dataset import Dataset

Fetch = Callable[[str], Path]
# Keys of a dataset in the config, by the arguments of `Dataset.open`.
_DATASET_KEYS = {"fmt": "format", "type_map": "type_map"}
_LISTED = 5
_CHUNK = 100
_SHOWN = 80


def load_checked_config(
    path: Path,
    overrides: Sequence[str] = (),
    fetch: Fetch | None = None,
    stages: Sequence[str] = (),
) -> LoadedConfig:
    """Read a config, check its form and open the data that it names.

    Parameters
    ----------
    path, overrides, stages
        See `load_config`.
    fetch
        Gives a local copy of data at an ``s3://`` address, such as
        `lamflow.context_access.fetch_location`; without it such data are not looked at.

    Raises
    ------
    InputError
        With every problem of the file and of the data.
    """
    draft = read_draft(path, overrides, stages)
    known = {problem.key for problem in draft.problems}
    problems = [
        Problem(draft.document.where(loc), dotted(loc), what)
        for loc, what in _findings(draft, fetch)
        if dotted(loc) not in known
    ]
    return draft.finish(problems)


def _findings(draft: Draft, fetch: Fetch | None) -> Iterator[Finding]:
    elements: dict[int, tuple[str, ...]] = {}
    parts: dict[str, dict[int, tuple[str, ...]]] = {"path": {}, "test": {}}
    kind = str(draft.document.data.get("kind"))
    for index, spec in draft.datasets.items():
        if any(p.key.startswith(f"datasets.{index}.type_map") for p in draft.problems):
            continue  # the data would be misread by it
        for key, location in (("path", spec.path), ("test", spec.test)):
            if location is None or (is_remote(location) and fetch is None):
                continue
            loc = ("datasets", index, key)
            try:
                local = fetch(location) if fetch and is_remote(location) else Path(location)
                parts[key][index] = _open(local, spec, kind)
                elements[index] = (*elements.get(index, ()), *parts[key][index])
            except InputError as error:
                yield from _data_findings(error, loc, location)
    if draft.model is not None:
        yield from _model_findings(draft.model, draft.datasets, elements)
    yield from _test_findings(draft, parts["path"], parts["test"])
    yield from _kind_findings(draft, fetch, elements)


def _test_findings(
    draft: Draft, taught: Mapping[int, Sequence[str]], tested: Mapping[int, Sequence[str]]
) -> Iterator[Finding]:
    """Find test sets with elements that the model will not know."""
    config = draft.config
    seen = len(taught) == len(draft.datasets) and not draft.problems
    if not isinstance(config, PretrainConfig) or not seen:
        return
    used = [found for index, found in taught.items() if config.datasets[index].weight > 0]
    known = set(config.model.type_map or ()).union(*used)
    for index, found in tested.items():
        if new := [symbol for symbol in found if symbol not in known]:
            yield (
                ("datasets", index, "test"),
                (
                    f"holds {', '.join(new)}, which no training set has: the model would not "
                    "know it; leave those frames out, or train on some"
                ),
            )


def _kind_findings(
    draft: Draft, fetch: Fetch | None, elements: Mapping[int, Sequence[str]]
) -> Iterator[Finding]:
    """Look at what only some kinds have."""
    if isinstance(draft.config, PretrainConfig) and not draft.problems:
        yield from _trainer_findings(draft.config, draft, elements)
    if draft.config is not None and fetch is not None and not draft.problems:
        yield from _given_models(draft.config, draft, fetch)
    if isinstance(draft.config, EvaluateConfig) and fetch is not None and not draft.problems:
        yield from _head_findings(draft.config, fetch)
    if isinstance(draft.config, PipelineConfig):
        yield from _stage_findings(draft.config, fetch)


def _stage_findings(config: PipelineConfig, fetch: Fetch | None) -> Iterator[Finding]:
    """Check the file of each stage as if it were submitted alone."""
    earlier: list[str] = []
    for index, stage in enumerate(config.stages):
        try:
            if stage.kind() == config.kind:
                raise InputError("is a pipeline itself; list its stages here instead")
            load_checked_config(Path(stage.file), stage.overrides(), fetch, earlier)
        except InputError as error:
            yield from ((("stages", index, "file"), str(problem)) for problem in error.problems)
        earlier.append(stage.name)


def _given_models(config: BaseModel, draft: Draft, fetch: Fetch) -> Iterator[Finding]:
    """Look whether the trained models that the config names are there."""
    from lamflow.train.given import find_model, open_model

    for loc in draft.document.places:
        if not marked(type_at(type(config), loc), NamesModel):
            continue
        value: Any = config
        for key in loc:
            value = value[key] if isinstance(key, int) else getattr(value, key)
        try:
            if value is None or is_stage(value):
                continue
            model = open_model(find_model(value, fetch))
        except InputError as error:
            yield from ((loc, f"{problem.where}: {problem.what}") for problem in error.problems)
            continue
        if isinstance(config, FinetuneConfig):
            yield from head_findings(config, model)


def _head_findings(config: EvaluateConfig, fetch: Fetch) -> Iterator[Finding]:
    """Look whether the model has the heads that are to be tested."""
    from lamflow.train.given import find_model, open_model

    if is_stage(config.model):
        return  # not there yet
    try:
        given = open_model(find_model(config.model, fetch))
    except InputError:
        return  # reported with the model
    named = [(("datasets", n, "head"), spec.head) for n, spec in enumerate(config.datasets)]
    wanted: list[tuple[Loc, str | None]] = [(loc, head) for loc, head in named if head]
    wanted += [(("properties", n, "head"), spec.head) for n, spec in enumerate(config.properties)]
    for loc, head in wanted:
        try:
            given.head(head)
        except InputError as error:
            yield loc, error.problems[0].what


def _data_findings(error: InputError, loc: Loc, location: str) -> Iterator[Finding]:
    """Yield the problems of a dataset, each with the file that it is in; not all of very many."""
    for problem in error.problems[:_LISTED]:
        what = f"{problem.where or location}: {problem.what}".replace("`fmt`", "`format`")
        key = _DATASET_KEYS.get(problem.key)
        yield (*loc[:-1], key) if key else loc, what
    if len(error.problems) > _LISTED:
        yield loc, f"{location}: {len(error.problems) - _LISTED} more systems have such problems"


def _open(path: Path, spec: DatasetSpec, kind: str) -> tuple[str, ...]:
    """Return the elements of a dataset that a kind can work on; else InputError.

    What is to be cleaned may have faults, as long as something of it can be read. Labels are
    needed for all but that and for finding out what a model covers.
    """
    from lamflow.data.dataset import Dataset

    try:
        if not path.exists():
            raise InputError(Problem(str(path), "", missing_file(path)))
    except OSError as error:  # too long, for example
        shown = f"{str(path)[:_SHOWN]}…"
        raise InputError(Problem(shown, "", f"{error.strerror}; check the path")) from error
    tolerant = kind == "clean"
    dataset = Dataset.open(path, fmt=spec.format, type_map=spec.type_map, tolerant=tolerant)
    if tolerant:
        return dataset.elements
    if dataset.nframes == 0:
        raise InputError("the dataset is empty (0 frames); give one with frames")
    if kind != "coverage":
        _check_labels(dataset, task_of(spec))
    if not any(_has_finite_frame(system) for system in dataset.systems(_CHUNK)):
        raise InputError(
            f"all {dataset.nframes} frames have NaN or infinity in coordinates or labels"
        )
    return dataset.elements


def _check_labels(dataset: "Dataset", task: AnyTask) -> None:
    """Refuse a dataset without the labels that its task is taught by."""
    if isinstance(task, EnergyTask | SpinTask) and "energy" not in dataset.labels:
        raise InputError("the frames have no energies; training and testing need labelled frames")
    if task.label is None:
        return
    if task.label not in dataset.others:
        known = f"; it has {', '.join(dataset.others)}" if dataset.others else ""
        raise InputError(
            f"task {task.kind} is taught by set.*/{task.label}.npy of deepmd/npy systems, a row of "
            f"numbers for each frame, and no system has it in all sets{known}"
        )
    for system in dataset.systems(_CHUNK):
        values = system.others.get(task.label)
        wanted = 3 * system.natoms if isinstance(task, SpinTask) else task.dimension
        if values is not None and values.shape[1] != wanted:
            raise InputError(
                f"{system.name}: {task.label}.npy has {values.shape[1]} numbers for each frame, "
                f"task {task.kind} wants {wanted}"
            )


def _has_finite_frame(system: System) -> bool:
    arrays = (system.coords, system.cells, system.energies, system.forces, system.virials)
    finite = np.ones(system.nframes, dtype=bool)
    for array in arrays:
        if array is not None:
            finite &= np.isfinite(array).reshape(system.nframes, -1).all(axis=1)
    return bool(finite.any())


def _model_findings(
    model: ModelSpec, specs: Mapping[int, DatasetSpec], elements: Mapping[int, Sequence[str]]
) -> Iterator[Finding]:
    from lamflow.train import presets

    try:
        presets.load(model.preset, model.overrides)
    except InputError as error:
        for problem in error.problems:
            yield tuple(problem.key.split(".")), problem.what
    if model.type_map is None:
        return
    for index, found in elements.items():
        if missing := sorted(set(found) - set(model.type_map)):
            what = f"lacks {', '.join(missing)}, which dataset '{specs[index].name}' holds; add it"
            yield ("model", "type_map"), what


def _trainer_findings(
    config: PretrainConfig, draft: Draft, elements: Mapping[int, Sequence[str]]
) -> Iterator[Finding]:
    """Ask DeePMD-kit's own argument checker about what the user changed in its input."""
    from lamflow.train import deepmd_input, presets, tasks
    from lamflow.train.protocol import Head, TrainJob, TrainSettings

    used = [spec for spec in config.datasets if spec.weight > 0]
    heads = [Head(spec.name, Path(spec.path), None, spec.weight, spec.task) for spec in used]
    train = config.train
    try:
        model = presets.load(config.model.preset, config.model.overrides)
    except InputError:
        return  # reported with the model
    refused = dict(tasks.refusals({spec.name: spec.task for spec in used}, model))
    for index, spec in enumerate(config.datasets):
        if spec.name in refused:
            yield ("datasets", index, "task"), refused[spec.name]
    if refused or not (config.train.deepmd or config.model.overrides):
        return
    known = config.model.type_map or sorted({symbol for one in elements.values() for symbol in one})
    settings = TrainSettings(steps=train.steps, batch=train.batch, deepmd=train.deepmd)
    types = tasks.types_with_mask(known or ["H"], [spec.task for spec in used])
    job = TrainJob(heads, model, types, settings)
    for sentence in deepmd_input.check_job(job):
        yield _blame(sentence, draft.document.places), f"DeePMD-kit refuses the input: {sentence}"


def _blame(sentence: str, places: Mapping[Loc, str]) -> Loc:
    """Return the user's key that a message of DeePMD-kit (``a.b: `key` what``) is about."""
    path, _, what = sentence.partition(": ")
    quoted = re.search(r"`(\w+)`", what)
    keys = (*path.split("."), *([quoted[1]] if quoted else []))
    candidates: list[Loc] = [("train", "deepmd", *keys)]
    for section in ("descriptor", "fitting_net"):
        if section in keys:
            candidates.insert(0, ("model", *keys[keys.index(section) :]))
    given = [loc[:n] for loc in candidates for n in range(2, len(loc) + 1) if loc[:n] in places]
    return max(given, key=len, default=("model",))
