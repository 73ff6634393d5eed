"""Fine-tune a pretrained model into a member of a committee."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamflow.evaluate.old_heads import chosen_head
from lamflow.files import read_json
from lamflow.learn.committee import train_job
from lamflow.progress import Progress, silent
from lamflow.train.finetune import finetune_job as describe
from lamflow.train.given import open_model
from lamflow.train.protocol import SINGLE_HEAD, Head, TrainSettings


def tune_member(
    labels: Path,
    pretrained: Path,
    folder: Path,
    scratch: Path,
    zero_shot: Path,
    *,
    name: str,
    head: str,
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
    zero_shot
        JSON of `lamflow.evaluate.old_heads.zero_shot_table`: tells which head is best.
    folder, scratch, name, settings
        See `lamflow.learn.committee.train_member`.
    head
        Head of the checkpoint to begin with, best, or `lamflow.train.finetune.FRESH`.
    elements
        Elements that the model is to know.

    Returns
    -------
    Steps, seconds and whether it failed.
    """
    model = open_model(pretrained)
    task = Head(SINGLE_HEAD, labels / "train", labels / "validation")
    source = chosen_head(head, read_json(zero_shot), model.heads)
    job = describe(model.checkpoint, [task], {SINGLE_HEAD: source}, elements, settings)
    parents = {model.card.name: model.sha256}
    return train_job(job, folder, scratch, name, progress, parents)
