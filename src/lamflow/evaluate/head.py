"""Test one head of a model folder against held-out frames, from files to files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.evaluate.errors import Parity, head_errors
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.files import write_json
from lamflow.progress import Progress, silent
from lamflow.train.model_card import verified_file

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
        Decides which points are kept for plots.
    progress
        Told about frames.

    Returns
    -------
    dict
        Errors of the first member (see `lamflow.evaluate.errors.head_errors`); those of all are
        under ``committee`` if there are several.

    Raises
    ------
    InputError
        No frames, unknown elements, or a model file that is not what its card says.
    """
    frames = Dataset.open(test)
    baseline = Baseline(dataset_references(Dataset.open(train)))
    parity = Parity(np.random.default_rng(seed))
    committee = {}
    for number, (member, folder) in enumerate(models.items()):
        committee[member] = head_errors(
            DeepmdPredictor(verified_file(folder, f"frozen/{head}.pth")),
            frames.systems(_CHUNK),
            baseline,
            parity=parity if number == 0 else None,
            progress=progress,
            nframes=frames.nframes,
        )
    errors = dict(next(iter(committee.values())))
    if len(committee) > 1:
        errors["committee"] = committee
    with parity_file.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **parity.arrays())
    write_json(errors_file, errors)
    return errors
