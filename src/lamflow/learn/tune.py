"""Fine-tune a pretrained model into a member of a committee."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamflow.errors import InputError, Problem
from lamflow.learn.committee import train_job
from lamflow.progress import Progress, silent
from lamflow.train.finetune import finetune_job as describe
from lamflow.train.finetune import read_checkpoint
from lamflow.train.model_card import verified_file
from lamflow.train.protocol import SINGLE_HEAD, Head, TrainSettings

_CHECKPOINT = "model.pt"


def tune_member(
    labels: Path,
    pretrained: Path,
    folder: Path,
    scratch: Path,
    *,
    name: str,
    head: str | None,
    elements: Sequence[str],
    settings: TrainSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Fine-tune one member into `folder`; a training that fails leaves its reason there.

    Parameters
    ----------
    labels
        Folder with ``train/`` and ``validation/``.
    pretrained
        Model folder with the checkpoint ``model.pt``, see `lamflow.train.export`.
    folder, scratch, name, settings
        See `lamflow.learn.committee.train_member`.
    head
        Head of the checkpoint to begin with, or `lamflow.train.finetune.FRESH`; None takes the
        only one.
    elements
        Elements that the model is to know.

    Returns
    -------
    Steps, seconds and whether it failed.
    """
    checkpoint = read_checkpoint(verified_file(pretrained, _CHECKPOINT))
    task = Head(SINGLE_HEAD, labels / "train", labels / "validation")
    source = head or only_head(pretrained, checkpoint.heads)
    job = describe(checkpoint, [task], {SINGLE_HEAD: source}, elements, settings)
    return train_job(job, folder, scratch, name, progress)


def only_head(pretrained: Path, heads: Sequence[str]) -> str:
    """Return the head if there is just one; InputError that lists them if there are several."""
    if len(heads) == 1:
        return heads[0]
    what = f"the model has several heads; name one of {', '.join(heads)}, or fresh"
    raise InputError(Problem(str(pretrained), "pretrained.head", what))
