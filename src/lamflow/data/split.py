"""Divide a dataset into training, validation and test frames, by groups of near-identical frames.

Random splits of a trajectory put near copies of training frames into the test set, and errors
then look better than they are.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamflow.data.card import make_card, read_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.fingerprint import fingerprints
from lamflow.data.frames import IntArray
from lamflow.data.groups import Near, assign, cut_large, near_groups
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError, Problem
from lamflow.progress import Progress, silent

_CHUNK = 500
# A group of a good part of the smallest part would decide that part alone.
_LARGEST_OF_PART = 0.5


@dataclass(frozen=True)
class SplitSummary:
    """What a split has done.

    Attributes
    ----------
    frames
        Frames of each part.
    groups
        Groups of near-identical frames that were found, before cutting.
    cut_frames
        Frames of groups (long trajectories, mostly) that had to be cut into blocks.
    leak_risk
        Of each part but the first: the fraction of its frames that have a near-identical frame
        in the first part, in spite of the grouping; from 0 to 1.
    """

    frames: dict[str, int]
    groups: int
    cut_frames: int
    leak_risk: dict[str, float]

    def sentence(self) -> str:
        """Say it in words, for the card."""
        risks = ", ".join(f"{part} {risk:.1%}" for part, risk in self.leak_risk.items())
        return (
            f"{self.groups} groups of near-identical frames; {self.cut_frames} frames in groups "
            f"that were cut into blocks of near frames; frames with a near-identical one in the "
            f"training part: {risks}"
        )


def split_dataset(
    source: Path,
    folder: Path,
    fractions: Mapping[str, float],
    seed: int,
    *,
    progress: Progress = silent,
) -> SplitSummary:
    """Write one dataset per part: ``folder/train``, ``folder/validation``, ...

    Parameters
    ----------
    source
        The dataset to divide.
    folder
        Where the parts go.
    fractions
        Part's name to its fraction of the frames; a fraction of 0 writes no such part.
    seed
        For the order in which groups are dealt out.
    progress
        Told about frames read.

    Raises
    ------
    InputError
        If there are fewer frames than parts.
    """
    dataset = Dataset.open(source)
    wanted = {part: fraction for part, fraction in fractions.items() if fraction > 0}
    if dataset.nframes < len(wanted):
        what = f"has {dataset.nframes} frames, too few for the parts {', '.join(wanted)}"
        raise InputError(Problem(str(source), "", f"{what}; add frames or ask for fewer parts"))
    found = near_frames(dataset, seed, progress)
    smallest = min(wanted.values()) / sum(wanted.values()) * dataset.nframes
    labels, cut = cut_large(found, max(1, int(_LARGEST_OF_PART * smallest)))
    parts = assign(labels, wanted, seed)
    summary = SplitSummary(
        frames={part: len(parts[part]) if part in parts else 0 for part in fractions},
        groups=int(found.groups.max()) + 1,
        cut_frames=cut,
        leak_risk=_leak_risk(found.edges, parts, dataset.nframes),
    )
    _write_parts(dataset, folder, parts, summary)
    return summary


def near_frames(dataset: Dataset, seed: int, progress: Progress = silent) -> Near:
    """Group near-identical frames, composition by composition, in the order of the dataset."""
    points: list[np.ndarray] = []
    members: dict[str, list[int]] = {}
    for system in dataset.systems(_CHUNK):
        for name, point in fingerprints(system):
            members.setdefault(name, []).append(len(points))
            points.append(point.astype(np.float32))
        progress(len(points), 2 * dataset.nframes, {"reading": system.name})
    table = np.array(points)
    groups = np.zeros(len(table), dtype=np.int64)
    edges, following = [], 0
    for frames in members.values():
        near = near_groups(table[frames].astype(np.float64), seed)
        groups[frames] = near.groups + following
        following += int(near.groups.max()) + 1
        edges.append(np.array(frames, dtype=np.int64)[near.edges])
    return Near(groups, np.concatenate(edges))


def _leak_risk(edges: IntArray, parts: Mapping[str, IntArray], nframes: int) -> dict[str, float]:
    names = list(parts)
    home = np.zeros(nframes, dtype=np.int64)
    for index, part in enumerate(names):
        home[parts[part]] = index
    both = np.concatenate([edges, edges[:, ::-1]])
    risk = {}
    for index, part in enumerate(names[1:], start=1):
        leaking = both[(home[both[:, 0]] == index) & (home[both[:, 1]] == 0), 0]
        risk[part] = len(np.unique(leaking)) / max(len(parts[part]), 1)
    return risk


def _write_parts(
    dataset: Dataset, folder: Path, parts: Mapping[str, IntArray], summary: SplitSummary
) -> None:
    home = np.full(dataset.nframes, -1, dtype=np.int64)
    for index, part in enumerate(parts):
        home[parts[part]] = index
    with ExitStack() as stack:
        writers = [
            stack.enter_context(DatasetWriter(folder / part, dataset.type_map)) for part in parts
        ]
        first = 0
        for system in dataset.systems(_CHUNK):
            homes = home[first : first + system.nframes]
            for index, writer in enumerate(writers):
                writer.add(system.take(np.flatnonzero(homes == index)))
            first += system.nframes
    for part in parts:
        _write_card(dataset.path, folder / part, part, summary)


def _write_card(source: Path, folder: Path, part: str, summary: SplitSummary) -> None:
    try:
        parent = read_card(source)
    except InputError:
        card = make_card(folder, part, notes={"split": summary.sentence()})
    else:
        card = make_card(
            folder, f"{parent.name}-{part}", dft=parent.dft, licence=parent.licence,
            source=parent.source, parents={parent.name: parent.sha256},
            notes={"split": summary.sentence()},
        )  # fmt: skip
    write_card(folder, card)
