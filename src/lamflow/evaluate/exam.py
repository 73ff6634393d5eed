"""Test a model on a standard set: as one of its heads, or zero-shot with references refitted."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamflow.data.card import dataset_sha256
from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.data.references import Baseline, system_references
from lamflow.errors import InputError, Problem
from lamflow.evaluate.details import Details
from lamflow.evaluate.errors import Parity, head_errors
from lamflow.evaluate.predictor import Predictor
from lamflow.evaluate.zero_shot import refit_references, zero_shot_errors
from lamflow.files import write_json
from lamflow.progress import Progress, silent
from lamflow.train.finetune import best_head
from lamflow.train.given import GivenModel, open_model

References = Literal["auto", "refit", "keep"]
ERRORS, DETAILS, PARITY = "errors.json", "details.json", "parity.npz"
_CHUNK = 200


@dataclass(frozen=True)
class Exam:
    """How a model is tested on a set.

    Attributes
    ----------
    name
        Name of the set. If it is a head's too, the set is that head's own.
    head
        Which head; None: the one of the set's name, else the one that fits best.
    references
        ``keep``: the model's energies as they are. ``refit``: an energy for each element is
        fitted first. ``auto``: kept if the set is a head's own or the head is named.
    fraction
        Part of the frames (0 to 1) that references are fitted to where there is no other set for
        it; these are not tested on.
    seed
        Decides which frames these are, and which points plots show.
    """

    name: str
    head: str | None = None
    references: References = "auto"
    fraction: float = 0.2
    seed: int = 1


@dataclass(frozen=True)
class _Part:
    """Some frames of a dataset, to be streamed any number of times."""

    dataset: Dataset
    mask: NDArray[np.bool_]

    @property
    def nframes(self) -> int:
        return int(self.mask.sum())

    def __iter__(self) -> Iterator[System]:
        first = 0
        for system in self.dataset.systems(_CHUNK):
            mine = self.mask[first : first + system.nframes]
            first += system.nframes
            if mine.any():
                yield system.take(mine)


def examine_model(
    model: Path,
    dataset: Path,
    test: Path | None,
    folder: Path,
    exam: Exam,
    *,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Test a model on a set and write errors, details and parity points.

    Parameters
    ----------
    model
        Model folder; its files are checked against its card.
    dataset
        The set.
    test
        Frames to test on instead; references and baseline are then fitted to `dataset`.
    folder
        New folder for `ERRORS`, `PARITY` and `DETAILS`: errors by element and worst frames (see
        `lamflow.evaluate.details`), zero-shot errors of all heads if the best was chosen, and
        elements that the head was not taught.
    exam
        What is tested.
    progress
        Told about frames.

    Returns
    -------
    dict
        As `lamflow.evaluate.errors.head_errors`, with ``head``, ``zero_shot`` (whether references
        were refitted), ``reference_frames`` and ``sha256`` of the frames tested on.

    Raises
    ------
    InputError
        No such head, unknown elements, too few frames, or a changed model file.
    """
    given = open_model(model)
    own = _own_head(given, exam)
    refit = exam.references == "refit" or (exam.references == "auto" and own is None)
    known, tested = _parts(dataset, test, exam, divide=refit)
    baseline = Baseline(system_references(known, known.dataset.type_map))
    heads: dict[str, Any] = {}
    if own is None:
        heads = _compare_heads(given, known, baseline)
        own = best_head(heads)
    predictor: Predictor = given.predictor(own)
    if refit:
        predictor = refit_references(predictor, known)
    parity, details = Parity(np.random.default_rng(exam.seed)), Details()
    errors = {
        "head": own,
        "zero_shot": refit,
        "reference_frames": known.nframes if refit else 0,
        "sha256": dataset_sha256(test or dataset),
        **head_errors(
            predictor, tested, baseline, parity=parity, details=details, progress=progress,
            nframes=tested.nframes,
        ),
    }  # fmt: skip
    folder.mkdir(parents=True)
    write_json(folder / ERRORS, errors)
    worst = _with_origins(details.worst(), test or dataset)
    write_json(
        folder / DETAILS,
        {
            "elements": details.elements(), "worst": worst, "heads": heads,
            "untaught": sorted(_elements(tested) - set(given.card.heads[own].elements)),
        },
    )  # fmt: skip
    with (folder / PARITY).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **parity.arrays())
    return errors


def _own_head(given: GivenModel, exam: Exam) -> str | None:
    """Return the head that the set belongs to, None if it is none's."""
    if exam.head is not None:
        return given.head(exam.head)
    return exam.name if exam.name in given.heads else None


def _parts(dataset: Path, test: Path | None, exam: Exam, *, divide: bool) -> tuple[_Part, _Part]:
    """Return the frames that references are fitted to, and those that are tested on."""
    opened = Dataset.open(dataset)
    every = np.ones(opened.nframes, dtype=bool)
    if test is not None:
        other = Dataset.open(test)
        return _Part(opened, every), _Part(other, np.ones(other.nframes, dtype=bool))
    if not divide:
        return _Part(opened, every), _Part(opened, every)
    if opened.nframes < 2:
        what = "has one frame, too few to fit references and to test; add frames"
        raise InputError(Problem(str(dataset), "", what))
    number = min(max(1, round(exam.fraction * opened.nframes)), opened.nframes - 1)
    known = np.zeros(opened.nframes, dtype=bool)
    rng = np.random.default_rng(exam.seed)
    known[rng.choice(opened.nframes, size=number, replace=False)] = True
    return _Part(opened, known), _Part(opened, ~known)


def _compare_heads(given: GivenModel, known: _Part, baseline: Baseline) -> dict[str, Any]:
    """Errors of each head on the frames that references are fitted to."""
    return {
        head: zero_shot_errors(given.predictor(head), known, known, baseline)
        for head in given.heads
    }


def _elements(part: _Part) -> set[str]:
    return {
        symbol
        for system in part
        for symbol, number in zip(system.type_map, system.counts().sum(axis=0), strict=True)
        if number
    }


def _with_origins(
    worst: Mapping[str, list[dict[str, Any]]], dataset: Path
) -> dict[str, list[dict[str, Any]]]:
    """Name frames by their place in the source, where the dataset records it."""
    file = dataset / "frames.tsv"
    if not file.is_file():
        return dict(worst)
    wanted = {(row["system"], row["frame"]) for rows in worst.values() for row in rows}
    origins = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines, delimiter="\t"):
            place = (line["system"], int(line["index"]))
            if place in wanted:
                origins[place] = {
                    "system": line["origin_system"], "frame": int(line["origin_index"])
                }  # fmt: skip
    return {
        quantity: [{**row, **origins.get((row["system"], row["frame"]), {})} for row in rows]
        for quantity, rows in worst.items()
    }
