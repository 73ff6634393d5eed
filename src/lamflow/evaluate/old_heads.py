"""What a pretrained model knows: of new data before it learns them, and of old data after."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.data.references import Baseline, dataset_references
from lamflow.errors import InputError
from lamflow.evaluate.errors import head_errors
from lamflow.evaluate.zero_shot import refit_references, zero_shot_errors
from lamflow.progress import Progress, silent
from lamflow.train.finetune import best_head
from lamflow.train.given import GivenModel

BEST = "best"
"""Head choice: the one with the smallest zero-shot error."""

_CHUNK = 200
_REFIT_FRAMES = 200  # a few numbers are fitted to them


def zero_shot_table(
    model: GivenModel, train: Path, test: Path, *, progress: Progress = silent
) -> dict[str, Any]:
    """Measure every head of a pretrained model on new data, element references refitted.

    Frames with elements that the model does not know are left out and counted.

    Parameters
    ----------
    model
        The pretrained model.
    train, test
        Parts of the new dataset: references are refitted to (a sample of) the first.

    Returns
    -------
    dict
        ``heads``: per head its errors (see `lamflow.evaluate.errors.head_errors`); ``best``: the
        head with the smallest force error, None if none could be tested; ``unknown``: the new
        elements; ``left_out``: test frames that hold one of them.
    """
    known = frozenset(model.type_map)
    labelled = list(_known(_sample(train), known))
    total = Dataset.open(test).nframes
    tested = list(_known(Dataset.open(test).systems(_CHUNK), known))
    frames = sum(system.nframes for system in tested)
    unknown = sorted(set(Dataset.open(test).elements) - known)
    heads: dict[str, Any] = {}
    if labelled and tested:
        baseline = Baseline(dataset_references(Dataset.open(train)))
        for number, head in enumerate(model.heads):
            progress(number, len(model.heads), {})
            heads[head] = zero_shot_errors(model.predictor(head), labelled, tested, baseline)
    return {
        "heads": heads,
        "best": best_head(heads) if heads else None,
        "unknown": unknown,
        "left_out": total - frames,
    }


def chosen_head(wanted: str, table: Mapping[str, Any], heads: tuple[str, ...]) -> str:
    """Return the head to begin with: `wanted`, or what ``best`` stands for.

    Raises
    ------
    InputError
        None could be tested, and there are several.
    """
    if wanted != BEST:
        return wanted
    if len(heads) == 1:
        return heads[0]
    if table["best"] is None:
        raise InputError(
            f"head: best is not to be found: every frame has an element that the model does not "
            f"know ({', '.join(table['unknown'])}); name one of {', '.join(heads)}, or fresh"
        )
    return str(table["best"])


def old_head_errors(
    before: GivenModel, after: GivenModel, head: str, stand_in: str, test: Path
) -> dict[str, Any]:
    """Measure an old head on its own data before and after fine-tuning.

    Parameters
    ----------
    before, after
        The pretrained and the fine-tuned model.
    head
        Head of `before`.
    stand_in
        Head of `after` that is tested if it has `head` no more, its references refitted to the
        test frames.
    test
        Labelled frames of the old data.

    Returns
    -------
    dict
        ``before`` and ``after``: errors (see `lamflow.evaluate.errors.head_errors`); ``with``: the
        head of `after` that was tested.
    """
    frames = Dataset.open(test)
    baseline = Baseline(dataset_references(frames))
    tested = head if head in after.heads else stand_in
    new = after.predictor(tested)
    judged = new if tested == head else refit_references(new, _sample(test))
    return {
        "before": head_errors(before.predictor(head), frames.systems(_CHUNK), baseline),
        "after": head_errors(judged, frames.systems(_CHUNK), baseline),
        "with": tested,
    }


def _sample(path: Path) -> Iterator[System]:
    """Yield every n-th frame, so that there are not many more than are needed."""
    dataset = Dataset.open(path)
    step = max(1, dataset.nframes // _REFIT_FRAMES)
    first = 0
    for system in dataset.systems(_CHUNK):
        chosen = np.arange(-first % step, system.nframes, step)
        first += system.nframes
        if len(chosen):
            yield system.take(chosen)


def _known(systems: Iterator[System], elements: frozenset[str]) -> Iterator[System]:
    """Keep the frames that have none but `elements`."""
    for system in systems:
        new = [index for index, symbol in enumerate(system.type_map) if symbol not in elements]
        kept = ~np.isin(system.types, new).any(axis=1)
        if kept.any():
            yield system.take(np.flatnonzero(kept))
