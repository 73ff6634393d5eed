"""Put labels together: those so far, those just bought, and those that the user had."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.card import make_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.data.split import split_dataset
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError, RunError
from lamflow.files import read_json, write_json
from lamflow.learn.frames import stream_frames, write_frames
from lamflow.learn.label import LABELLED

PARTS = ("train", "validation")
GATHERED = "gathered.json"
_CHUNK = 500


def gather_labels(
    bought: Mapping[str, Path],
    datasets: Mapping[str, Path],
    previous: Path | None,
    folder: Path,
    scratch: Path,
    *,
    name: str,
    dft: str,
    hold_out: float,
    failures: float,
    seed: int,
) -> dict[str, Any]:
    """Write all labels so far into a new `folder`.

    Parameters
    ----------
    bought
        Folders of `lamflow.learn.label.label_share`.
    datasets
        Labelled datasets of the user's.
    previous
        What the iteration before gathered.
    folder
        Gets ``train/`` and ``validation/``, ``new/`` with the labels just bought, and
        ``gathered.json``.
    scratch
        For parts of the user's datasets.
    name, dft
        For the cards.
    hold_out
        Fraction of frames for ``validation/``: they are never trained on.
    failures
        Largest fraction of frames that may have got no label.
    seed
        Decides which frames are held out.

    Returns
    -------
    What is in ``gathered.json``: frames `asked` for and `labelled` now, those `added` from
    datasets, `rejected` by kind, and frames in each part.

    Raises
    ------
    RunError
        More frames got no label.
    InputError
        There are not two labelled frames at all.
    """
    done = [read_json(place / LABELLED) for place in bought.values()]
    asked = sum(one["asked"] for one in done)
    rejected = [item for one in done for item in one["rejected"]]
    _check_failures(asked, rejected, failures)
    new = [system for place in bought.values() for system in stream_frames(place)]
    rng = np.random.default_rng(seed)
    frames = dict.fromkeys(PARTS, 0)
    with ExitStack() as stack:
        writers = {p: stack.enter_context(DatasetWriter(folder / p)) for p in PARTS}
        added = 0
        for part, system, is_new in _old(previous, datasets, scratch, hold_out, seed):
            writers[part].add(system)
            added += system.nframes if is_new else 0
        held = _hold_out(new, hold_out, rng)
        for system, mask in zip(new, held, strict=True):
            writers["train"].add(system.take(~mask))
            writers["validation"].add(system.take(mask))
        frames = {part: writer.nframes for part, writer in writers.items()}
        if not all(frames.values()):
            raise InputError(
                f"{sum(frames.values())} labelled frames are too few to train on and to hold some "
                "out; raise start.frames, or give more in datasets"
            )
    for part in PARTS:
        write_card(folder / part, make_card(folder / part, f"{name}-{part}", dft=dft))
    write_frames(folder / "new", new)
    gathered = {
        "asked": asked,
        "labelled": sum(one["labelled"] for one in done),
        "added": added,
        "rejected": dict(Counter(item["kind"] for item in rejected)),
        "frames": frames,
    }
    write_json(folder / GATHERED, gathered)
    return gathered


def _check_failures(asked: int, rejected: list[Any], failures: float) -> None:
    if asked and len(rejected) > failures * asked:
        first = rejected[0]
        raise RunError(
            f"{len(rejected)} of {asked} frames got no label, the first because: "
            f"{first['message']}\n{first['log']}"
        )


def _old(
    previous: Path | None, datasets: Mapping[str, Path], scratch: Path, hold_out: float, seed: int
) -> Iterable[tuple[str, System, bool]]:
    """Yield labelled frames that were there before, with their part and whether they are added."""
    places = [(previous, False)] if previous else []
    for name, path in datasets.items():
        fractions = {"train": 1 - hold_out, "validation": hold_out}
        split_dataset(path, scratch / name, fractions, seed)
        places.append((scratch / name, True))
    for place, is_new in places:
        for part in PARTS:
            for system in Dataset.open(place / part).systems(_CHUNK):
                yield part, system, is_new


def _hold_out(systems: list[System], fraction: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the frames to hold out, at least one of two: a mask for each system."""
    total = sum(system.nframes for system in systems)
    count = min(max(round(fraction * total), 1), total - 1) if total > 1 else 0
    mask = np.zeros(total, dtype=bool)
    mask[rng.permutation(total)[:count]] = True
    ends = np.cumsum([system.nframes for system in systems], dtype=np.int64)
    return [mask[end - system.nframes : end] for system, end in zip(systems, ends, strict=True)]
