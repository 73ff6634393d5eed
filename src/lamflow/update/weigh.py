"""What the model knows of a dataset before it has learnt it."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.data.card import read_card
from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.errors import InputError
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.evaluate.zero_shot import zero_shot_errors
from lamflow.progress import Progress, silent
from lamflow.registry.release import ModelContent
from lamflow.train.finetune import best_head
from lamflow.train.model_card import verified_file
from lamflow.update.base import Base

_CHUNK = 200


class Novelty(StrictModel):
    """Whether a dataset has something new for a model."""

    covered: bool = False
    """Whether it has nothing new."""
    reason: str = ""
    """Why, in words."""
    ratio: float | None = None
    """Zero-shot error of the best head over its error on its own test set; null: not measured."""
    best_head: str | None = None
    """Head with the smallest zero-shot error; null: none could be tested."""
    zero_shot: dict[str, dict[str, Any]] = Field(default={})
    """Per head, its errors on the training frames, the elements' reference energies refitted (see
    `lamflow.evaluate.zero_shot`)."""


def zero_shot_by_head(
    base: Base, data: Path, progress: Progress = silent
) -> dict[str, dict[str, Any]]:
    """Measure each head of a model on frames that it has not learnt.

    Parameters
    ----------
    base
        The version.
    data
        Labelled frames; references are refitted to the same ones.
    progress
        Told heads.
    """
    dataset = Dataset.open(data)
    baseline = Baseline(dataset_references(dataset))
    errors = {}
    for number, head in enumerate(base.content.card.heads):
        progress(number, len(base.content.card.heads), {"head": head})
        predictor = DeepmdPredictor(verified_file(base.folder, f"frozen/{head}.pth"))
        errors[head] = zero_shot_errors(
            predictor, dataset.systems(_CHUNK), dataset.systems(_CHUNK), baseline
        )
    return errors


def best_of(errors: dict[str, dict[str, Any]]) -> str | None:
    """Return the head with the smallest error; None if none could be measured."""
    try:
        return best_head(errors)
    except InputError:
        return None


def weigh(
    base: Base | None, parts: Path, *, error_ratio: float, progress: Progress = silent
) -> Novelty:
    """Compare a dataset with what the base knows.

    Parameters
    ----------
    base
        The version before; None: all is new.
    parts
        Folder with ``train/`` of the dataset.
    error_ratio
        The dataset is covered if the best head's zero-shot force error (energy where there are no
        forces) is at most this many times the head's error on its own test set.
    """
    if base is None:
        return Novelty(reason="there is no version yet")
    train = parts / "train"
    new = sorted(set(read_card(train).elements) - set(base.content.card.type_map))
    if new:
        return Novelty(reason=f"elements that the model does not know: {', '.join(new)}")
    errors = zero_shot_by_head(base, train, progress)
    head = best_of(errors)
    if head is None:
        return Novelty(reason="no head could be tested on it", zero_shot=errors)
    ratio, words = _ratio(base.content, head, errors[head])
    return Novelty(
        covered=ratio <= error_ratio,
        reason=words,
        ratio=ratio if np.isfinite(ratio) else None,
        best_head=head,
        zero_shot=errors,
    )


def _ratio(content: ModelContent, head: str, errors: dict[str, Any]) -> tuple[float, str]:
    """Return the error on new data over that on the head's own test set, and say it in words."""
    for key, name, unit in (
        ("force_rmse_meV_per_A", "force", "meV/Å"),
        ("energy_rmse_meV_per_atom", "energy", "meV/atom"),
    ):
        own = [r.errors[key] for r in content.results if r.head == head and r.errors.get(key)]
        if own and errors.get(key) is not None:
            known = max(float(value) for value in own if value is not None)
            ratio = float(errors[key]) / known
            return ratio, (
                f"zero-shot {name} error of head {head}: {errors[key]:.3g} {unit}, {ratio:.2g} "
                f"times that on its own test set"
            )
    return float("inf"), f"head {head} has no error to compare with"
