"""Publishing the model of a run, with all that made it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lamflow.config.base import label
from lamflow.data.card import CARD, DatasetCard, read_card
from lamflow.errors import InputError, Problem
from lamflow.evaluate.properties.result import PropertyValue
from lamflow.files import list_files, read_json, sha256_file
from lamflow.progress import Progress, silent
from lamflow.registry.names import check_name
from lamflow.registry.registry import Registry
from lamflow.registry.release import (
    Ancestor,
    ModelContent,
    Release,
    TestResult,
    describe_parts,
)
from lamflow.train.model_card import ModelCard, read_model_card, verified_file

_SECONDS_PER_HOUR = 3600.0


def push_model(
    registry: Registry,
    folder: Path,
    name: str,
    *,
    run: Path | None = None,
    exam: Path | None = None,
    parents: Sequence[str] = (),
    labels_bought: int | None = None,
    limits: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Release:
    """Publish a model folder as the next version of `name`.

    Parameters
    ----------
    registry
        Where to publish.
    folder
        The model's files and ``card.json`` (see `lamflow.train.model_card`).
    name
        Name in the registry.
    run
        Folder of the run that made it, or its downloaded result: metrics, configuration and
        datasets become part of the version's card.
    exam
        Run of `kind: evaluate`, or its downloaded result, that tested this model: its errors and
        properties become part of the card, too.
    parents
        Registered models, name@version, that this one goes on from.
    labels_bought
        Frames that were computed with DFT for it.
    limits
        Known limits, in words.
    progress
        Is told bytes.

    Raises
    ------
    InputError
        There is no model, a file differs from its card, the metrics can't be read, or `exam`
        tested another model.
    """
    card = read_model_card(folder)
    known = {} if run is None else _heads_of_run(_result(run) / CARD) | _cards_of_steps(run)
    places = [_result(run)] if run else []
    if exam:
        _check_exam(exam, folder)
        places.append(_result(exam))
    found = [one for place in places for one in _results(place / "metrics.json")]
    if run:
        own = _with_test_sets(_results(_result(run) / "metrics.json"), card, run)
        found = [*own, *found[len(own) :]]
    return publish_model(
        registry, folder, name,
        results=tuple({(one.test_set, one.head): one for one in found}.values()),
        properties=[one for place in places for one in _properties(place / "properties.json")],
        config=_text(run / "config.yaml") if run else "",
        parents=parents, known=known, labels_bought=labels_bought, limits=limits,
        progress=progress,
    )  # fmt: skip


def publish_model(
    registry: Registry,
    folder: Path,
    name: str,
    *,
    results: Sequence[TestResult],
    known: Mapping[str, Ancestor],
    properties: Sequence[PropertyValue] = (),
    config: str = "",
    parents: Sequence[str] = (),
    labels_bought: int | None = None,
    limits: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Release:
    """Publish a model folder with what is known of it.

    Parameters
    ----------
    registry, folder, name, parents, labels_bought, limits, progress
        See `push_model`.
    results, properties, config
        Errors per head and test set, properties, and the run's configuration.
    known
        Datasets on the way from the sources to the heads, by hash.

    Raises
    ------
    InputError
        There is no model, or a file differs from its card.
    """
    check_name(name)
    card = read_model_card(folder)
    for file in card.files:
        verified_file(folder, file)
    files = {path.relative_to(folder).as_posix(): path for path in list_files(folder)}
    extra = sorted(files.keys() - card.files.keys() - {CARD})
    if extra:
        what = "is not in the model's card; remove it from the folder"
        raise InputError(*(Problem(str(folder / file), "", what) for file in extra))
    releases = [registry.release("model", reference) for reference in parents]
    content = ModelContent(
        name=name,
        parts=describe_parts(files),
        card=card,
        results=tuple(results),
        properties=tuple(properties),
        config=config,
        parents={str(release): release.sha256 for release in releases},
        ancestors=tuple(_ancestors(card, known)),
        gpu_hours=card.seconds / _SECONDS_PER_HOUR if card.device.startswith("cuda") else 0.0,
        labels_bought=labels_bought,
        limits=limits,
    )
    return registry.publish(content, files, progress)


def _result(run: Path) -> Path:
    return run / "result" if (run / "result").is_dir() else run


def _check_exam(exam: Path, folder: Path) -> None:
    """Look whether an evaluation is of this model."""
    file = _result(exam) / CARD
    try:
        tested = read_json(file)["model"]["card_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = "is no result of kind: evaluate; give the folder of such a run"
        raise InputError(Problem(str(file), "", what)) from error
    if tested != sha256_file(folder / CARD):
        raise InputError(Problem(str(file), "", f"is of another model than {folder}"))


def _results(file: Path) -> tuple[TestResult, ...]:
    """Read a run's ``metrics.json``; a run without one has no results.

    Pretraining calls errors by the head, `kind: evaluate` by the test set with ``head`` in them.
    """
    if not file.is_file():
        return ()
    try:
        heads: Mapping[str, Mapping[str, Any]] = read_json(file)["heads"]
        return tuple(
            TestResult(
                test_set=name,
                head=head.get("head", name),
                frames=head["frames"],
                errors=_numbers(head),
                baseline=_numbers(head.get("baseline") or {}),
                sha256=head.get("sha256"),
            )
            for name, head in heads.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(Problem(str(file), "", f"can't be read as metrics: {error}")) from error


def _with_test_sets(
    results: Sequence[TestResult], card: ModelCard, run: Path | None
) -> tuple[TestResult, ...]:
    """Add the hashes of the test sets, as far as the run's steps are here."""
    found = {} if run is None else find_test_sets(run, card)
    return tuple(
        one.model_copy(update={"sha256": read_card(found[one.head]).sha256})
        if one.head in found
        else one
        for one in results
    )


def find_training_sets(run: Path, card: ModelCard) -> dict[str, Path]:
    """Find the frames that taught each head in the steps of a run, by their hash."""
    known = {
        read_json(file).get("sha256"): file.parent
        for file in sorted(run.glob("steps/*/outputs/parts/train/card.json"))
    }
    return {n: known[head.sha256] for n, head in card.heads.items() if head.sha256 in known}


def find_test_sets(run: Path, card: ModelCard) -> dict[str, Path]:
    """Find the frames that each head was tested on in the steps of a run: its own, or held out."""
    found = {}
    for head, train in find_training_sets(run, card).items():
        own = sorted(run.glob(f"steps/test-clean-{label(head)}-*/outputs/dataset/{CARD}"))
        held_out = train.parent / "test"
        if own:
            found[head] = own[-1].parent
        elif (held_out / CARD).is_file():
            found[head] = held_out
    return found


def _properties(file: Path) -> tuple[PropertyValue, ...]:
    """Read a run's ``properties.json``: what `lamflow.evaluate.properties.suite` found."""
    if not file.is_file():
        return ()
    try:
        return tuple(PropertyValue.model_validate(one) for one in read_json(file))
    except (ValueError, TypeError) as error:
        raise InputError(Problem(str(file), "", f"can't be read as properties: {error}")) from error


def _numbers(head: Mapping[str, Any]) -> dict[str, float | None]:
    """Take the errors; one that is not finite is not known."""
    return {
        key: float(value) if value is not None and math.isfinite(value) else None
        for key, value in head.items()
        if "_meV_" in key
    }


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _ancestors(card: ModelCard, known: Mapping[str, Ancestor]) -> Iterator[Ancestor]:
    """Describe each head's training data and, as far as is known, what they came from."""
    waiting = [
        known.get(head.sha256)
        or Ancestor(name=name, sha256=head.sha256, frames=head.frames, licence=head.licence,
                    source=head.source)
        for name, head in card.heads.items()
    ]  # fmt: skip
    seen: set[str] = set()
    while waiting:
        ancestor = waiting.pop(0)
        if ancestor.sha256 in seen:
            continue
        seen.add(ancestor.sha256)
        yield ancestor
        waiting += [
            known.get(sha256)
            or Ancestor(name=name, sha256=sha256, licence=ancestor.licence, source=ancestor.source)
            for name, sha256 in ancestor.parents.items()
        ]


def _cards_of_steps(run: Path) -> dict[str, Ancestor]:
    """Read the datasets that the steps of a run made, by hash."""
    found = {}
    for file in sorted(run.glob("steps/*/outputs/**/card.json")):
        try:
            card = DatasetCard.model_validate(read_json(file))
        except ValueError:
            continue  # the card of something else
        found[card.sha256] = ancestor_of(card)
    return found


def ancestor_of(card: DatasetCard) -> Ancestor:
    """Take from a dataset's card what a model's lineage keeps of it."""
    return Ancestor(
        name=card.name, sha256=card.sha256, parents=card.parents, frames=card.frames,
        licence=card.licence, source=card.source,
    )  # fmt: skip


def _heads_of_run(file: Path) -> dict[str, Ancestor]:
    """Read the training data that the card of a run names (`lamflow.report.run_card`), by hash."""
    if not file.is_file():
        return {}
    heads: Mapping[str, Mapping[str, Any]] = read_json(file).get("datasets", {})
    return {
        head["train_sha256"]: Ancestor(
            name=f"{name}-train", sha256=head["train_sha256"], parents=head["parents"],
            frames=head["frames"]["train"], licence=head["licence"], source=head["source"],
        )
        for name, head in heads.items()
    }  # fmt: skip
