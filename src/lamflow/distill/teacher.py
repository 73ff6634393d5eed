"""The teacher: one head of a large model, asked in batches, and only where it is trusted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.config.base import StrictModel
from lamflow.data.dataset import Dataset
from lamflow.data.frames import FloatArray, System
from lamflow.deploy.compress import freeze_model
from lamflow.evaluate.predictor import Predictor
from lamflow.files import write_json
from lamflow.learn.committee import frozen
from lamflow.learn.frames import stream_frames, write_frames
from lamflow.learn.label import LABELLED
from lamflow.progress import Progress, silent
from lamflow.select.conformal import nearest_distance
from lamflow.select.descriptor import DescriptorSpace
from lamflow.select.deviation import force_deviation
from lamflow.train.given import open_model
from lamflow.train.model_card import write_model_card
from lamflow.train.protocol import SINGLE_HEAD

_CHUNK = 200
_USUAL = 0.95


def take_head(model: Path, head: str | None, folder: Path) -> str:
    """Make a model folder of one head of a model; return the head's name.

    Parameters
    ----------
    model
        Model folder of any number of heads.
    head
        Which; None takes the only one.
    folder
        New; gets ``frozen/model.pth`` and a card, as a single-task model has them.
    """
    given = open_model(model)
    chosen = given.head(head)
    target = folder / "frozen" / f"{SINGLE_HEAD}.pth"
    target.parent.mkdir(parents=True)
    freeze_model(given, chosen, target)
    card = given.card.model_copy(
        update={"heads": {SINGLE_HEAD: given.card.heads[chosen]}, "files": {}}
    )
    write_model_card(folder, card)
    return chosen


class TrustLimits(StrictModel):
    """Where the teacher is trusted, see `lamflow.config.distill.Trust`."""

    largest_force: float
    """Largest force on an atom, eV/Å."""
    force_deviation: float
    """Largest deviation of the teacher's committee about an atom's force, eV/Å."""
    distance: float
    """Largest distance in descriptor space, in usual distances of the data."""


@dataclass(frozen=True, eq=False)
class Doubts:
    """What is known to doubt a teacher by.

    Attributes
    ----------
    limits
        The limits.
    committee
        Other models of the same training; none if empty.
    space, known
        The teacher's descriptor space and the points of its training frames there, (n, ndim);
        None if they are not given.
    usual
        95th percentile of the distance from a training frame to the nearest other.
    """

    limits: TrustLimits
    committee: Sequence[Predictor] = ()
    space: DescriptorSpace | None = None
    known: FloatArray | None = None
    usual: float = 0.0

    def of(self, system: System, forces: FloatArray) -> NDArray[np.str_]:
        """Why each frame is refused, (nframes,); empty where the teacher is trusted.

        Parameters
        ----------
        system
            Frames.
        forces
            (nframes, natoms, 3) eV/Å, the teacher's.
        """
        reasons = np.full(system.nframes, "", dtype="<U40")
        if self.space is not None and self.known is not None:
            distance = nearest_distance(self.space.points(system), self.known)
            reasons[distance > self.limits.distance * self.usual] = "far from the teacher's data"
        if self.committee:
            every = np.stack([forces, *(one.predict(system).forces for one in self.committee)])
            unsure = force_deviation(every).max(axis=1)
            reasons[~(unsure <= self.limits.force_deviation)] = "the teacher's committee disagrees"
        largest = np.linalg.norm(forces, axis=-1).max(axis=-1)
        reasons[~(largest <= self.limits.largest_force)] = "a force is too large"
        return reasons


def doubts_about(
    teacher: Path,
    limits: TrustLimits,
    committee: Sequence[Predictor],
    data: Path | None,
    elements: Sequence[str],
) -> Doubts:
    """Prepare what the teacher is doubted by; `data` are frames that it was trained on."""
    if data is None:
        return Doubts(limits, committee)
    space = DescriptorSpace(frozen(teacher), elements)
    known = np.concatenate([space.points(s) for s in Dataset.open(data).systems(_CHUNK)])
    return Doubts(limits, committee, space, known, usual_distance(known))


def usual_distance(points: FloatArray) -> float:
    """95th percentile of the distance of each of (n, ndim) points to the nearest other one."""
    from scipy.spatial import cKDTree

    if len(points) < 2:
        return 0.0
    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    return float(np.quantile(nearest, _USUAL))


def ask_teacher(
    asked: Mapping[str, Path],
    load: Callable[[Sequence[str]], tuple[Predictor, Doubts]],
    folder: Path,
    *,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Label frames in batches, those of one size together, into a new `folder`.

    Parameters
    ----------
    asked
        Folders with ``frames/`` by name, such as those of `lamflow.learn.explore`.
    load
        Gives the teacher and where it is not trusted, for these elements; called once if there
        are frames.
    folder
        Gets ``frames/`` with labels, ``quarantine/`` with the frames refused, and
        ``labelled.json`` in the form of `lamflow.learn.label`.

    Returns
    -------
    What is in ``labelled.json``.
    """
    systems = [system for place in asked.values() for system in stream_frames(place)]
    systems.sort(key=lambda system: system.natoms)
    total = sum(system.nframes for system in systems)
    elements = sorted({symbol for system in systems for symbol in system.type_map})
    teacher, doubts = load(elements) if systems else (None, None)
    good: list[System] = []
    bad: list[System] = []
    rejected: list[dict[str, Any]] = []
    done = 0
    for system in systems:
        assert teacher is not None and doubts is not None  # noqa: S101, PT018 - for mypy
        labelled, reasons = label_frames(system, teacher, doubts)
        good.append(labelled.take(reasons == ""))
        bad.append(_bare(system.take(reasons != "")))
        rejected += [
            {"system": system.name, "origin": int(origin), "kind": str(reason),
             "message": str(reason), "log": ""}
            for origin, reason in zip(system.origins, reasons, strict=True) if reason
        ]  # fmt: skip
        done += system.nframes
        progress(done, total, {"refused": len(rejected)})
    write_frames(folder / "quarantine", bad)
    told = {
        "asked": total,
        "labelled": write_frames(folder, good),
        "computed": total,
        "cached": 0,
        "label_seconds": 0.0,
        "rejected": rejected,
    }
    write_json(folder / LABELLED, told)
    return told


def label_frames(
    system: System, teacher: Predictor, doubts: Doubts
) -> tuple[System, NDArray[np.str_]]:
    """Give frames the teacher's labels, and tell why some of them are not to be used."""
    found = teacher.predict(system)
    labelled = replace(
        system,
        energies=found.energies,
        forces=found.forces,
        virials=found.virials if system.periodic else None,
    )
    return labelled, doubts.of(system, found.forces)


def _bare(system: System) -> System:
    return replace(system, energies=None, forces=None, virials=None)
