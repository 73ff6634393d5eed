"""Fine-tune a model folder into another one, from files to files."""

from collections.abc import Mapping
from pathlib import Path

from lamflow.data.card import make_card, read_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.elements import sorted_symbols
from lamflow.data.writer import DatasetWriter
from lamflow.progress import Progress, silent
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model
from lamflow.train.finetune import finetune_job
from lamflow.train.given import GivenModel
from lamflow.train.model_card import ModelCard
from lamflow.train.protocol import SINGLE_HEAD, Head, TrainSettings
from lamflow.train.replay import ReplaySummary, pseudo_labels

TRAIN, VALIDATION = "train", "validation"
_CHUNK = 500


def finetune_model(
    model: GivenModel,
    data: Mapping[str, Path],
    replay: Mapping[str, Path],
    sources: Mapping[str, str],
    weights: Mapping[str, float],
    folder: Path,
    scratch: Path,
    *,
    name: str,
    freeze_descriptor: bool,
    settings: TrainSettings,
    progress: Progress = silent,
) -> ModelCard:
    """Fine-tune `model` on new data beside replayed ones, into a new `folder`.

    Parameters
    ----------
    model
        The pretrained model.
    data, replay
        Per new head and per replayed head, a folder with ``train/`` and perhaps ``validation/``.
    sources
        Per new head, the head that it begins with, or `lamflow.train.finetune.FRESH`.
    weights
        Per head, its share of the steps.
    folder, scratch
        For the model (see `lamflow.train.export`) and for checkpoints.
    name
        For the card, which has `model` for a parent.
    freeze_descriptor, settings
        See `lamflow.train.finetune.finetune_job`.
    """
    heads = [
        Head(head, place / TRAIN, _there(place / VALIDATION), weights[head])
        for head, place in {**data, **replay}.items()
    ]
    elements = sorted_symbols({e for head in heads for e in read_card(head.train).elements})
    begin_with = {**sources, **{head: head for head in replay}}
    if model.checkpoint.single:  # its only head has a name in the card, and none in the checkpoint
        names = dict.fromkeys(model.heads, SINGLE_HEAD)
        begin_with = {head: names.get(source, source) for head, source in begin_with.items()}
    job = finetune_job(
        model.checkpoint, heads, begin_with, elements, settings, freeze_descriptor=freeze_descriptor
    )
    result = DeepmdTrainer().train(job, scratch, progress)
    return export_model(job, result, folder, name, {model.card.name: model.sha256})


def pseudo_replay(
    model: GivenModel, head: str, data: Mapping[str, Path], folder: Path, scratch: Path
) -> ReplaySummary:
    """Write the training frames of all new data with a head's own answers, below `folder`.

    Raises
    ------
    InputError
        No frame has only elements that the model knows.
    """
    frames = scratch / "frames"
    parts = [Dataset.open(place / TRAIN) for place in data.values()]
    elements = sorted_symbols({element for part in parts for element in part.elements})
    with DatasetWriter(frames, elements) as writer:
        for part in parts:
            for system in part.systems(_CHUNK):
                writer.add(system)
    write_card(frames, make_card(frames, head))
    return pseudo_labels(model.predictor(head), frames, folder / TRAIN, head)


def _there(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None
