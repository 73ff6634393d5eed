"""Test one head of a model folder against held-out frames, from files to files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.config.task import ENERGY, AnyTask, DenoiseTask, EnergyTask, SpinTask
from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.evaluate.errors import Parity, head_errors
from lamflow.evaluate.other_heads import (
    LabelPredictor,
    denoise_errors,
    label_baseline,
    label_errors,
    spin_errors,
)
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.files import write_json
from lamflow.progress import Progress, silent
from lamflow.train.model_card import head_file

_CHUNK = 200


def evaluate_head(
    models: Mapping[str, Path],
    head: str,
    test: Path,
    train: Path,
    errors_file: Path,
    parity_file: Path,
    seed: int,
    *,
    task: AnyTask = ENERGY,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure one head and write its errors and parity points.

    Parameters
    ----------
    models
        Model folders of a committee by member (see `lamflow.train.export`), at least one; their
        files are checked against their cards.
    head
        Name of the head.
    test
        Dataset that the head has not seen.
    train
        Dataset that taught it: gives the baseline its energy per element.
    errors_file, parity_file
        Where the JSON of `head_errors` and the npz of `Parity` go.
    seed
        Decides which points are kept for plots, and how a denoise head's frames are noised.
    task
        What the head has learnt.
    progress
        Told about frames.

    Returns
    -------
    dict
        Errors of the first member (see `lamflow.evaluate.errors.head_errors`, and for other tasks
        `lamflow.evaluate.other_heads`); those of all are under ``committee`` if there are several.

    Raises
    ------
    InputError
        No frames, unknown elements, or a model file that is not what its card says.
    """
    parity = Parity(np.random.default_rng(seed))
    committee = {}
    for number, (member, folder) in enumerate(models.items()):
        committee[member] = _errors(
            head_file(folder, head), task, Dataset.open(test), Dataset.open(train),
            parity if number == 0 else None, seed, progress,
        )  # fmt: skip
    errors = dict(next(iter(committee.values())))
    if len(committee) > 1:
        errors["committee"] = committee
    with parity_file.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **parity.arrays())
    write_json(errors_file, errors)
    return errors


def _errors(
    model: Path, task: AnyTask, test: Dataset, train: Dataset, parity: Parity | None, seed: int,
    progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    frames = test.systems(_CHUNK)
    match task:
        case EnergyTask():
            return head_errors(
                DeepmdPredictor(model), frames, Baseline(dataset_references(train)),
                parity=parity, progress=progress, nframes=test.nframes,
            )  # fmt: skip
        case SpinTask():
            return spin_errors(
                model, frames, Baseline(dataset_references(train)), task,
                progress=progress, nframes=test.nframes,
            )  # fmt: skip
        case DenoiseTask():
            return denoise_errors(model, train.systems(_CHUNK), frames, task, seed)
        case _:
            base = label_baseline(train.systems(_CHUNK), task)
            return label_errors(LabelPredictor(model, task), base, frames, task)
