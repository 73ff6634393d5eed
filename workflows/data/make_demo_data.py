"""Make the demo datasets beside this file from the data pack.

    python workflows/data/make_demo_data.py /path/to/lamdata-open

Picks a diverse subset of each set by farthest-point sampling on the frames' fingerprints,
composition by composition, so that 300 frames show as much of the set as they can.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamflow.data.card import make_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.fingerprint import fingerprints
from lamflow.data.frames import FloatArray, IntArray
from lamflow.data.writer import DatasetWriter
from lamflow.files import read_json


@dataclass(frozen=True)
class Demo:
    """A subset to make: its name, the pack's set and part, frames, and the largest cell."""

    name: str
    parent: str
    part: str
    frames: int
    natoms_max: int


DEMOS = (
    Demo("mol3bpa", "mol3bpa_wb97x", "train", 300, 27),
    Demo("nbmotaw", "nbmotaw_pbe", "train", 300, 54),
    Demo("tio2", "tio2_pbe", "train", 300, 24),
    Demo("tio2_test", "tio2_pbe", "test", 80, 24),
    Demo("ethmeth", "ethmeth_pbe", "train", 80, 9),
    Demo("ethmeth_test", "ethmeth_pbe", "test", 120, 9),
)


def farthest_points(points: FloatArray, count: int) -> IntArray:
    """Return indices of `count` points, each the farthest from those before it."""
    chosen = [int(np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1)))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.sort(np.array(chosen, dtype=np.int64))


def pick(dataset: Dataset, demo: Demo) -> IntArray:
    """Return indices (in streaming order) of the frames to keep."""
    members: dict[str, list[int]] = {}
    points: list[FloatArray] = []
    for system in dataset.systems():
        for name, point in fingerprints(system):
            if system.natoms <= demo.natoms_max:
                members.setdefault(name, []).append(len(points))
            points.append(point)
    # Equal shares per composition; what small ones leave goes to the others.
    share: dict[str, int] = {}
    left = demo.frames
    for place, name in enumerate(sorted(members, key=lambda one: len(members[one]))):
        share[name] = min(len(members[name]), left // (len(members) - place))
        left -= share[name]
    kept = [
        np.array(members[name])[farthest_points(np.array([points[i] for i in members[name]]), n)]
        for name, n in share.items()
        if n
    ]
    return np.sort(np.concatenate(kept))


def make(pack: Path, demo: Demo, target: Path) -> None:
    """Write one demo dataset with its card."""
    entry = next(
        one for one in read_json(pack / "inventory.json")["datasets"] if one["name"] == demo.parent
    )
    dataset = Dataset.open(pack / entry["path"] / demo.part)
    kept = pick(dataset, demo)
    first = 0
    with DatasetWriter(target, dataset.type_map, single=True) as writer:
        for system in dataset.systems():
            inside = kept[(kept >= first) & (kept < first + system.nframes)] - first
            writer.add(system.take(inside))
            first += system.nframes
    notes = {"subset": f"{len(kept)} diverse frames of up to {demo.natoms_max} atoms out of "
                       f"{dataset.nframes} of {demo.parent}/{demo.part}"}  # fmt: skip
    card = make_card(
        target, demo.name, dft=entry["dft"], licence=entry["licence"], source=entry["source"],
        notes=notes,
    )  # fmt: skip
    write_card(target, card)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{demo.name}: {card.frames} frames, {card.atoms_min} to {card.atoms_max} atoms, "
          f"{size / 1e6:.2f} MB")  # fmt: skip


def main() -> None:
    """Make all demo datasets."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for demo in DEMOS:
        make(Path(sys.argv[1]), demo, Path(__file__).parent / demo.name)


if __name__ == "__main__":
    main()
