"""Data that keep a model from forgetting while it is fine-tuned.

Training on new data alone overwrites what was learnt (French, Trends Cogn. Sci. 3, 128, 1999).
Replay mixes a small, diverse part of the pretraining data into the batches; where those are not at
hand, the pretrained model's own answers on the new frames take their place (Li & Hoiem, IEEE TPAMI
40, 2935, 2018).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamflow.data.card import make_card, read_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.fingerprint import fingerprints
from lamflow.data.frames import IntArray, System
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError, Problem
from lamflow.evaluate.predictor import Predictor
from lamflow.select.diversity import farthest_points

_CHUNK = 500


@dataclass(frozen=True)
class ReplaySummary:
    """What was taken for replay.

    Attributes
    ----------
    frames
        Frames written.
    shared
        Frames of the pretraining data that share an element with the new data.
    total
        Frames of the pretraining data.
    """

    frames: int
    shared: int
    total: int


def replay_subset(
    source: Path, folder: Path, elements: Iterable[str], count: int, rng: np.random.Generator
) -> ReplaySummary:
    """Write a diverse part of a pretraining dataset that shares elements with the new data.

    Frames are chosen by farthest-point sampling on their fingerprints
    (`lamflow.data.fingerprint`), from those that contain at least one of `elements`.

    Parameters
    ----------
    source
        Pretraining dataset, with its card.
    folder
        Where the part goes, with a card of its own.
    elements
        Chemical symbols of the new data.
    count
        How many frames to take.
    rng
        Draws the first frame.

    Raises
    ------
    InputError
        Fewer than `count` frames share an element: replaying them over and over would teach them
        by heart and keep nothing else, so nothing is written.
    """
    wanted = frozenset(elements)
    dataset = Dataset.open(source)
    points, places, total = [], [], 0
    for system in dataset.systems(_CHUNK):
        sharing = _sharing(system, wanted)
        for index, (_, point) in enumerate(fingerprints(system)):
            if sharing[index]:
                points.append(point)
                places.append(total + index)
        total += system.nframes
    if len(points) < count:
        raise InputError(
            Problem(
                str(source),
                "replay",
                f"only {len(points)} of {total} frames share an element with the new data "
                f"({', '.join(sorted(wanted))}), and replay needs {count}; ask for fewer frames, "
                "replay another dataset, or use pseudo-labels",
            )
        )
    chosen = np.sort(np.array(places)[farthest_points(np.array(points), count, rng)])
    _write_chosen(dataset, chosen, folder)
    _write_subset_card(source, folder, f"{count} diverse frames that share an element of "
                                       f"{', '.join(sorted(wanted))}")  # fmt: skip
    return ReplaySummary(count, len(points), total)


def pseudo_labels(predictor: Predictor, source: Path, folder: Path, name: str) -> ReplaySummary:
    """Write the frames of a dataset with a model's own answers as labels.

    Parameters
    ----------
    predictor
        A head of the pretrained model, before it is fine-tuned.
    source
        Frames; their labels are not used.
    folder
        Where the labelled frames go, with a card.
    name
        The head, for the card.

    Raises
    ------
    InputError
        No frame has only elements that the model knows.
    """
    known = frozenset(predictor.type_map)
    dataset = Dataset.open(source)
    total = 0
    with DatasetWriter(folder, predictor.type_map) as writer:
        for system in dataset.systems(_CHUNK):
            total += system.nframes
            inside = system.take(~_sharing(system, set(system.type_map) - known))
            if inside.nframes:
                writer.add(_labelled(inside, predictor))
        frames = writer.nframes
        if frames == 0:
            what = f"every frame has an element that head {name} of the model does not know"
            raise InputError(Problem(str(source), "replay", what))
    card = make_card(folder, name, dft=f"pseudo-labels of head {name} of the pretrained model")
    write_card(folder, card)
    return ReplaySummary(frames, frames, total)


def _sharing(system: System, wanted: Iterable[str]) -> NDArray[np.bool_]:
    """Whether each frame has an atom of a `wanted` element, (nframes,)."""
    indices = [index for index, symbol in enumerate(system.type_map) if symbol in wanted]
    return np.asarray(np.isin(system.types, indices).any(axis=1))


def _write_chosen(dataset: Dataset, chosen: IntArray, folder: Path) -> None:
    first = 0
    with DatasetWriter(folder, dataset.type_map) as writer:
        for system in dataset.systems(_CHUNK):
            last = first + system.nframes
            inside = chosen[(chosen >= first) & (chosen < last)] - first
            if len(inside):
                writer.add(system.take(inside))
            first = last


def _write_subset_card(source: Path, folder: Path, subset: str) -> None:
    parent = read_card(source)
    card = make_card(
        folder, parent.name, dft=parent.dft, licence=parent.licence, source=parent.source,
        parents={parent.name: parent.sha256}, notes={"subset": subset},
    )  # fmt: skip
    write_card(folder, card)


def _labelled(system: System, predictor: Predictor) -> System:
    says = predictor.predict(system)
    virials = says.virials if system.periodic else None
    return replace(system, energies=says.energies, forces=says.forces, virials=virials)
