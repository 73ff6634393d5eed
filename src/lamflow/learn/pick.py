"""Select frames of the explored ones, from files to files."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.files import read_json, write_json
from lamflow.learn.committee import Committee, trained
from lamflow.learn.explore import SUMMARY
from lamflow.learn.frames import stream_frames, take_frames, write_frames
from lamflow.learn.state import LoopState
from lamflow.progress import Progress, silent
from lamflow.select.calibrate import Levels
from lamflow.select.choose import COUNTS, Pool, Strategy, choose
from lamflow.select.known import fingerprint_table

SELECTION = "selection.json"
_CHUNK = 200
_HISTOGRAM_BINS = 40


def pick_from(
    explored: Mapping[str, Path],
    models: Mapping[str, Path],
    labels: Path,
    folder: Path,
    state: LoopState,
    *,
    labels_wanted: int,
    allowance: int,
    strategy: Strategy,
    failures: float,
    seed: int,
    progress: Progress = silent,
) -> dict[str, int]:
    """Pick as many frames as the budget allows, with the trained ones of `models`.

    Parameters
    ----------
    explored, labels, folder, strategy, seed
        See `pick_frames`.
    models
        Folders of the members.
    state
        Tells the trust levels, and how many labels were bought.
    labels_wanted
        Frames of one iteration, at most.
    allowance
        Frames that may have been labelled by the end of this iteration.
    failures
        Largest fraction of members that may have failed.

    Returns
    -------
    Numbers of frames by fate, see `lamflow.select.choose.Choice`.
    """
    members, _ = trained(models, failures)
    left = allowance - state.spent
    selection = pick_frames(
        explored, Committee(members, labels / "train"), labels, folder,
        levels=Levels(*state.last.levels), count=max(0, min(labels_wanted, left)),
        strategy=strategy, seed=seed, progress=progress,
    )  # fmt: skip
    if left <= 0:
        write_json(folder / SELECTION, selection | {"no_labels_left": True})
    return dict(selection["counts"])


def nothing_picked(folder: Path) -> dict[str, int]:
    """Leave the selection of a loop that is over: no frame."""
    counts = dict.fromkeys(COUNTS, 0)
    write_json(folder / SELECTION, {"counts": counts})
    return counts


def pick_frames(
    explored: Mapping[str, Path],
    committee: Committee,
    labels: Path,
    folder: Path,
    *,
    levels: Levels,
    count: int,
    strategy: Strategy,
    seed: int,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Pick at most `count` of the explored frames into a new `folder`.

    Coordinates are streamed; only deviations and fingerprints of all frames are in memory.

    Parameters
    ----------
    explored
        Folders of `lamflow.learn.explore`, by name.
    committee
        Says how sure the model is.
    labels
        Folder with the labelled frames so far, ``train/`` and ``validation/``.
    folder
        Gets ``frames/`` and ``selection.json``.
    levels, count, strategy, seed
        See `lamflow.select.choose.choose`.

    Returns
    -------
    What is in ``selection.json``: `counts`, `trajectories`, `stops`, the levels, a histogram of
    the deviations, and of each picked frame its composition and deviation.
    """
    pool = _survey(explored, committee, progress)
    known = [s for part in ("train", "validation") for s in _dataset(labels / part)]
    names, fingerprints = fingerprint_table(known)

    def points(indices: IntArray) -> FloatArray:
        rows = [committee.points(system) for system in take_frames(_frames(explored), indices)]
        order = np.argsort(np.argsort(indices, kind="stable"), kind="stable")
        return np.concatenate(rows)[order]

    choice = choose(
        pool, levels, count, np.random.default_rng(seed), points,
        strategy=strategy, known_compositions=names, known_fingerprints=fingerprints,
    )  # fmt: skip
    write_frames(folder, take_frames(_frames(explored), choice.picked))
    ends = [read_json(place / SUMMARY) for place in explored.values()]
    picked = np.sort(choice.picked)
    selection = {
        "counts": choice.counts,
        "trajectories": {k: sum(e[k] for e in ends) for k in ("complete", "guarded", "failed")},
        "stops": [stop for end in ends for stop in end["stops"]],
        "low": levels.low,
        "high": levels.high,
        "histogram": histogram(pool.deviation),
        "picked": [
            {"composition": pool.compositions[i], "deviation": float(pool.deviation[i])}
            for i in picked.tolist()
        ],
    }
    write_json(folder / SELECTION, selection)
    return selection


def _survey(explored: Mapping[str, Path], committee: Committee, progress: Progress) -> Pool:
    names: list[str] = []
    fingerprints: list[FloatArray] = []
    deviations: list[FloatArray] = [np.empty(0)]
    for system, deviation in committee.deviations(_frames(explored)):
        compositions, points = fingerprint_table([system])
        names += compositions
        fingerprints.append(points)
        deviations.append(deviation)
        progress(len(names), len(names) + 1, {})
    table = np.concatenate(fingerprints) if fingerprints else np.empty((0, 0))
    return Pool(names, table, np.concatenate(deviations))


def _frames(explored: Mapping[str, Path]) -> Iterator[System]:
    for folder in explored.values():
        yield from stream_frames(folder)


def _dataset(folder: Path) -> Iterable[System]:
    return Dataset.open(folder).systems(_CHUNK) if folder.is_dir() else ()


def histogram(deviation: FloatArray) -> dict[str, list[float]]:
    """Count deviations in bins of equal width of their logarithm."""
    usable = deviation[np.isfinite(deviation) & (deviation > 0)]
    if not len(usable):
        return {"edges": [], "counts": []}
    low, high = float(usable.min()), float(usable.max())
    edges = np.geomspace(low / 1.001, high * 1.001, _HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(usable, edges)
    return {"edges": edges.tolist(), "counts": counts.astype(float).tolist()}
