"""The members of a committee: their training, and what they say about frames together."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.frames import FloatArray, System
from lamflow.errors import RunError
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.files import read_json, write_json
from lamflow.learn.gather import GATHERED
from lamflow.progress import Progress, silent
from lamflow.select.conformal import nearest_distance
from lamflow.select.descriptor import DescriptorSpace
from lamflow.select.deviation import committee_deviation
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.model_card import head_file
from lamflow.train.protocol import SINGLE_HEAD, TrainingError, TrainJob, TrainSettings

_FAILED = "failed.json"
_CHUNK = 200


def train_member(
    labels: Path,
    folder: Path,
    scratch: Path,
    *,
    name: str,
    model: Mapping[str, Any],
    type_map: Sequence[str],
    settings: TrainSettings,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train one member into `folder`; a training that fails leaves its reason there.

    Parameters
    ----------
    labels
        Folder with ``train/`` and perhaps ``validation/``.
    folder
        New folder for the model (see `lamflow.train.export`).
    scratch
        For checkpoints.
    name, model, type_map, settings
        See `lamflow.train.export.make_job`.

    Returns
    -------
    Steps, seconds and whether it failed.
    """
    job = make_job({SINGLE_HEAD: labels}, {SINGLE_HEAD: 1.0}, model, settings, type_map)
    return train_job(job, folder, scratch, name, progress)


def train_job(
    job: TrainJob,
    folder: Path,
    scratch: Path,
    name: str,
    progress: Progress,
    parents: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Train `job` into `folder`, see `train_member` and `lamflow.train.export.export_model`."""
    try:
        result = DeepmdTrainer().train(job, scratch, progress)
    except TrainingError as error:
        write_json(folder / _FAILED, {"reason": str(error)})
        return {"steps": 0, "train_seconds": 0.0, "failed": True}
    card = export_model(job, result, folder, name, parents)
    return {"steps": card.steps, "train_seconds": round(card.seconds, 1), "failed": False}


def nothing_new(labels: Path) -> bool:
    """Tell whether an iteration brought no label."""
    gathered = read_json(labels / GATHERED)
    return not gathered["labelled"] and not gathered["added"]


def keep_member(previous: Path, folder: Path) -> dict[str, Any]:
    """Pass a member on as it is: there is nothing new to learn."""
    shutil.copytree(previous, folder)
    return {"steps": 0, "train_seconds": 0.0, "failed": (folder / _FAILED).exists()}


def trained(models: Mapping[str, Path], failures: float) -> tuple[dict[str, Path], list[str]]:
    """Part members into those that were trained and the reasons why others were not.

    Raises
    ------
    RunError
        None was trained, or more than the fraction `failures` failed.
    """
    reasons = {
        name: str(read_json(folder / _FAILED)["reason"])
        for name, folder in models.items()
        if (folder / _FAILED).exists()
    }
    good = {name: folder for name, folder in models.items() if name not in reasons}
    if not good or len(reasons) > failures * len(models):
        told = "\n".join(f"member {name}: {reason}" for name, reason in reasons.items())
        raise RunError(
            f"{len(reasons)} of {len(models)} members of the committee were not trained; look at "
            f"the labels, or lower train.learning_rate\n{told}"
        )
    return good, [f"member {name}: {reason.splitlines()[0]}" for name, reason in reasons.items()]


def frozen(folder: Path) -> Path:
    """Frozen model of a member, after its hash was compared with its card."""
    return head_file(folder, SINGLE_HEAD)


class Committee:
    """Members that were trained on the same labels.

    With one member, a frame's distance to the nearest training frame in descriptor space takes
    the place of the deviation; both become errors by calibration.

    Parameters
    ----------
    models
        Folders of trained members, in order; the first is the one that is delivered.
    train
        Dataset that they were trained on.
    """

    def __init__(self, models: Mapping[str, Path], train: Path) -> None:
        self._files = [frozen(folder) for folder in models.values()]
        self.members = [DeepmdPredictor(file) for file in self._files]
        self._train = train
        self._space: DescriptorSpace | None = None
        self._known: FloatArray | None = None

    def points(self, system: System) -> FloatArray:
        """Points of frames in the first member's descriptor space, (nframes, ndim)."""
        if self._space is None:
            self._space = DescriptorSpace(self._files[0], self.members[0].type_map)
        return self._space.points(system)

    def deviations(self, systems: Iterable[System]) -> Iterator[tuple[System, FloatArray]]:
        """Yield each system with (nframes,) largest force deviations, eV/Å (or distances)."""
        if len(self.members) > 1:
            for system, found in committee_deviation(self.members, systems):
                yield system, found.force_max
            return
        for system in systems:
            yield system, nearest_distance(self.points(system), self._training_points())

    def _training_points(self) -> FloatArray:
        if self._known is None:
            parts = [self.points(s) for s in Dataset.open(self._train).systems(_CHUNK)]
            self._known = np.concatenate(parts)
        return self._known
