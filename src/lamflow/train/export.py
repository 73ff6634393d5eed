"""From prepared datasets to a training job, and from its products to a model folder."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamflow.config.task import ENERGY, AnyTask
from lamflow.data.card import DatasetCard, read_card
from lamflow.data.elements import sorted_symbols
from lamflow.train.model_card import (
    ModelCard,
    cutoff_of,
    head_cards,
    installed_versions,
    write_model_card,
)
from lamflow.train.protocol import Head, TrainJob, TrainResult, TrainSettings
from lamflow.train.tasks import types_with_mask


def make_job(
    data: Mapping[str, Path],
    weights: Mapping[str, float],
    model: Mapping[str, Any],
    settings: TrainSettings,
    type_map: Sequence[str] | None = None,
    tasks: Mapping[str, AnyTask] | None = None,
) -> TrainJob:
    """Describe the training of one head for each dataset.

    Parameters
    ----------
    data
        Per head, a folder with ``train/`` and perhaps ``validation/`` (see `lamflow.data.split`).
    weights
        Per head, its share of the steps; heads of weight 0 are left out.
    model
        Model section (see `lamflow.train.presets`).
    settings
        How to train.
    type_map
        Elements that the model is to know; default: those of the data, by atomic number.
    tasks
        Per head, what it learns; those that are not in it learn energies.
    """
    chosen = tasks or {}
    heads = [
        Head(
            name,
            folder / "train",
            _existing(folder / "validation"),
            weights[name],
            chosen.get(name, ENERGY),
        )
        for name, folder in data.items()
        if weights[name] > 0
    ]
    found = {symbol for head in heads for symbol in read_card(head.train).elements}
    types = types_with_mask(type_map or sorted_symbols(found), [head.task for head in heads])
    return TrainJob(heads, model, types, settings)


def _existing(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def export_model(
    job: TrainJob,
    result: TrainResult,
    folder: Path,
    name: str,
    parents: Mapping[str, str] | None = None,
) -> ModelCard:
    """Put checkpoint, frozen models, input, learning curve and card into a new `folder`.

    `parents` gives the hash of the card of each model that this one was made from, by its name.
    """
    folder.mkdir(parents=True)
    for file in (result.checkpoint, result.input, result.curve):
        shutil.copy2(file, folder / file.name)
    for head, file in result.frozen.items():
        target = folder / "frozen" / f"{head}{file.suffix}"
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(file, target)
    cards: dict[str, DatasetCard] = {head.name: read_card(head.train) for head in job.heads}
    card = ModelCard(
        name=name,
        type_map=tuple(job.type_map),
        heads=head_cards(
            cards,
            {head.name: head.weight for head in job.heads},
            {head.name: head.task.kind for head in job.heads},
        ),
        model=dict(job.model),
        cutoff=cutoff_of(job.model),
        seed=job.settings.seed,
        steps=result.steps,
        seconds=result.seconds,
        device=result.device,
        versions=installed_versions(),
        parents=dict(parents or {}),
    )
    write_model_card(folder, card)
    return card
