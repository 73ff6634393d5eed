"""Test a new version on every set that the version before was tested on, and on the new ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.data.card import read_card
from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.evaluate.head import evaluate_head
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.evaluate.properties.result import PropertyValue
from lamflow.evaluate.table import ERROR_KEYS
from lamflow.evaluate.zero_shot import zero_shot_errors
from lamflow.progress import Progress, silent
from lamflow.registry.release import TestResult
from lamflow.train.finetune import FRESH
from lamflow.train.model_card import verified_file
from lamflow.update.base import Base
from lamflow.update.decide import Decision, to_train

_CHUNK = 200


class Examination(StrictModel):
    """Errors of the new version, and what the old one made of the same frames."""

    results: tuple[TestResult, ...] = ()
    """Errors of the new version per test set and head."""
    properties: tuple[PropertyValue, ...] = ()
    """Properties of known systems."""
    before: dict[str, dict[str, float | None]] = Field(default={})
    """Per test set, errors of the version before: as registered for sets that it was tested on;
    for a new set zero-shot with the head that the new one began with, references refitted."""


@dataclass(frozen=True)
class Exam:
    """One head on one test set.

    Attributes
    ----------
    test_set, head
        Names.
    test, train
        Frames to test on, and those that taught the head.
    sha256
        Hash of the test set.
    decision
        The dataset that it is a part of, if it is new.
    """

    test_set: str
    head: str
    test: Path
    train: Path
    sha256: str
    decision: Decision | None = None


def examine(
    base: Base | None,
    decisions: Sequence[Decision],
    parts: Mapping[str, Path],
    model: Path,
    data: Path,
    parity: Path,
    scratch: Path,
    *,
    seed: int,
    progress: Progress = silent,
) -> Examination:
    """Test each head of a model folder.

    Parameters
    ----------
    base, decisions, parts
        As for `lamflow.update.grow.grow`.
    model, data
        What `grow` has made.
    parity
        Gets ``TEST_SET.npz`` with points for parity plots.
    scratch
        For what is not kept.
    seed
        Decides which points are kept.
    """
    parity.mkdir(parents=True)
    scratch.mkdir(parents=True, exist_ok=True)
    results, before = [], {}
    for exam in exams(base, to_train(decisions), parts, data):
        errors = evaluate_head(
            {"1": model}, exam.head, exam.test, exam.train, scratch / "errors.json",
            parity / f"{exam.test_set}.npz", seed, progress=progress,
        )  # fmt: skip
        results.append(
            TestResult(
                test_set=exam.test_set, head=exam.head, frames=errors["frames"],
                errors=_numbers(errors), baseline=_numbers(errors["baseline"]),
                sha256=exam.sha256,
            )
        )  # fmt: skip
        if base is not None and exam.decision is not None and exam.decision.start != FRESH:
            old = exam.decision.start or exam.head
            before[exam.test_set] = _zero_shot(base, old, exam)
    if base is not None:
        before |= {one.test_set: dict(one.errors) for one in base.content.results}
    return Examination(results=tuple(results), before=before)


def exams(
    base: Base | None, learnt: Sequence[Decision], parts: Mapping[str, Path], data: Path
) -> Iterator[Exam]:
    """List what is to be tested: all old test sets, then those of the new datasets."""
    taught = {one.head: data / one.head / "train" for one in learnt}
    names = set()
    for old in base.content.results if base else ():
        if base is None or old.sha256 is None:
            continue
        names.add(old.test_set)
        what = f"test set {old.test_set}"
        train = taught.get(old.head) or base.data.train(base.content, old.head)
        test = base.data.folder(old.sha256, what)
        yield Exam(old.test_set, old.head, test, train, old.sha256)
    for one in learnt:
        test = parts[one.slot] / "test"
        name = f"{one.name}-{one.sha256[:6]}" if one.name in names else one.name
        yield Exam(name, one.head, test, taught[one.head], read_card(test).sha256, one)


def _zero_shot(base: Base, head: str, exam: Exam) -> dict[str, float | None]:
    """Errors of a head that has not seen the data, its elements' references refitted."""
    train = Dataset.open(exam.train)
    predictor = DeepmdPredictor(verified_file(base.folder, f"frozen/{head}.pth"))
    if not set(train.elements) <= set(predictor.type_map):
        return dict.fromkeys(ERROR_KEYS)
    systems = Dataset.open(exam.test).systems(_CHUNK)
    baseline = Baseline(dataset_references(train))
    return _numbers(zero_shot_errors(predictor, train.systems(_CHUNK), systems, baseline))


def _numbers(errors: Mapping[str, Any]) -> dict[str, float | None]:
    """Take the errors; one that is not finite is not known."""
    found = {}
    for key in ERROR_KEYS:
        value = errors.get(key)
        found[key] = float(value) if value is not None and np.isfinite(value) else None
    return found
