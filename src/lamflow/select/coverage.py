"""Whether a dataset is covered by a model already, and the least of it that is worth learning."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamflow.data.dataset import Dataset
from lamflow.data.frames import IntArray
from lamflow.data.split import near_frames
from lamflow.data.writer import DatasetWriter
from lamflow.files import new_folder, write_json
from lamflow.progress import Progress, silent
from lamflow.select.conformal import nearest_distance
from lamflow.select.coverage_summary import Assessed, summarise
from lamflow.select.diversity import farthest_points
from lamflow.select.survey import Survey, survey
from lamflow.select.taught import Taught, open_head, study_training
from lamflow.select.verdict import COVERED, VERDICTS, Judged, Yardstick, judge

VERDICT, LINES, MAP, FRAMES = "coverage.json", "frames.jsonl", "map.npz", "frames"
_CHUNK = 200
_COMPARED = 20_000
_MAP_POINTS = 3000


@dataclass(frozen=True)
class CoverageLimits:
    """How much is looked at.

    Attributes
    ----------
    confidence
        Part of the frames like the training set that is to count as covered, between 0 and 1.
    training_frames, calibration_frames
        Frames of the training data, at most, that new ones are compared with, and that show what
        is usual.
    subset
        Frames proposed, at most.
    """

    confidence: float = 0.9
    training_frames: int = 2000
    calibration_frames: int = 500
    subset: int = 200


def assess_coverage(
    models: Mapping[str, Path],
    training: Mapping[str, Path],
    dataset: Path,
    folder: Path,
    subset: Path,
    scratch: Path,
    limits: CoverageLimits,
    seed: int,
    *,
    head: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Compare a dataset with what a model knows; write the verdict and a subset into new folders.

    Parameters
    ----------
    models
        Model folders (with card.json) by member; the first is the one that is judged, all
        together are the committee.
    training
        What taught the model, by name, see `lamflow.select.taught.study_training`.
    dataset
        The new frames, labelled or not, cleaned.
    folder
        Gets ``coverage.json``, ``frames.jsonl`` (a line per frame) and ``map.npz`` (for the
        report).
    subset
        Gets the dataset ``frames/``, if any frame is worth adding.
    scratch
        For parts of training sets that are not divided yet.
    limits
        How much is looked at.
    seed
        Draws samples.
    head
        Head of the model, see `lamflow.select.taught.open_head`.

    Returns
    -------
    What is in ``coverage.json``.

    Raises
    ------
    InputError
        No training data, too few of them, no such head, or a file that is not what its card says.
    """
    rng = np.random.default_rng(seed)
    new = Dataset.open(dataset)
    model = open_head(models, new, head)
    taught = study_training(
        model, training, new, scratch, frames=limits.training_frames,
        calibration=limits.calibration_frames, rng=rng, progress=progress,
    )  # fmt: skip
    yardstick = Yardstick(taught.usual, limits.confidence)
    seen = survey(
        model.members, model.space, taught.known, new.systems(_CHUNK), taught.usual.symbols,
        nframes=new.nframes, progress=progress,
    )  # fmt: skip
    judged = judge(seen, yardstick, taught.elements)
    picks = _worth_adding(seen, judged, taught, limits, rng)
    groups = near_frames(new, seed).groups
    assessed = Assessed(model.head, len(model.members), taught, yardstick, seen, judged, groups)
    found = summarise(assessed, picks.frames, picks.candidates, picks.regions)
    with new_folder(subset) as staging:
        _write_subset(staging, new, picks.frames)
    with new_folder(folder) as staging:
        write_json(staging / VERDICT, found)
        _write_lines(staging / LINES, assessed, picks.frames)
        _write_map(staging / MAP, assessed, picks.frames, rng)
    return found


@dataclass(frozen=True, eq=False)
class _Picks:
    """Frames worth adding, how many they were picked from, and the pick that each is near to."""

    frames: IntArray
    candidates: IntArray
    regions: IntArray


def _worth_adding(
    seen: Survey, judged: Judged, taught: Taught, limits: CoverageLimits, rng: np.random.Generator
) -> _Picks:
    """Pick frames until every one that is not covered is as near to a pick as usual.

    The worst comes first. As near as usual: as near as the part `confidence` of calibration frames
    is to the training set. Frames with a doubtful label are left out, whatever their error.
    """
    nothing = np.empty(0, dtype=np.int64)
    wanted = np.flatnonzero((judged.bands != COVERED) & ~judged.suspect)
    if len(wanted) > _COMPARED:
        wanted = np.sort(rng.choice(wanted, _COMPARED, replace=False))
    points = seen.points[wanted].astype(np.float64)
    usable = np.isfinite(points).all(axis=1)
    alone = wanted[~usable]  # with elements that the model does not know: one of each composition
    first = {seen.compositions[index]: index for index in reversed(alone.tolist())}
    strangers = np.array(sorted(first.values()), dtype=np.int64)[: limits.subset]
    wanted, points = wanted[usable], points[usable]
    if not len(wanted):
        return _Picks(strangers, strangers, np.arange(len(strangers)))
    usual = taught.usual.points.astype(np.float64)
    reach = float(np.quantile(nearest_distance(usual, taught.points), limits.confidence))
    worst = int(np.argmax(np.nan_to_num(judged.scores[wanted], nan=-1.0)))
    left = limits.subset - len(strangers) - 1
    more = nothing
    if left > 0:
        more = farthest_points(points, left, rng, points[[worst]], reach=reach)
    order = np.array([worst, *more.tolist()], dtype=np.int64)
    near = np.square(points[:, None] - points[order][None]).sum(axis=2).argmin(axis=1)
    return _Picks(
        np.concatenate([wanted[order], strangers]),
        np.concatenate([wanted, strangers]),
        np.concatenate([near, len(order) + np.arange(len(strangers))]),
    )


def _write_lines(path: Path, assessed: Assessed, picked: IntArray) -> None:
    seen, judged = assessed.seen, assessed.judged
    values = {
        "force_error_eV_per_A": seen.whole("error"),
        "energy_error_eV_per_atom": seen.whole("energy"),
        "deviation_eV_per_A": seen.whole("deviation"),
        "expected_error_eV_per_A": assessed.slope.slope * seen.whole("deviation"),
        "distance": seen.whole("distance"),
        "chance_by_label": judged.by_label,
        "chance_by_model": judged.by_model,
        "score": judged.scores,
    }
    chosen = set(picked.tolist())
    with path.open("w", encoding="utf-8") as file:
        for index, (system, frame) in enumerate(seen.places):
            line: dict[str, Any] = {
                "system": system, "frame": frame, "composition": seen.compositions[index],
                "verdict": VERDICTS[judged.bands[index]], "why": assessed.why(index),
                "elements": assessed.element_verdicts(index),
                "suspect": bool(judged.suspect[index]), "subset": index in chosen,
            }  # fmt: skip
            line |= {name: _finite(array[index]) for name, array in values.items()}
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _write_map(path: Path, assessed: Assessed, picked: IntArray, rng: np.random.Generator) -> None:
    """Points of the training set and of the new frames, thinned, and their bands."""
    seen, judged = assessed.seen, assessed.judged
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(seen.points).all(axis=1))
    shown = _thinned(np.flatnonzero(usable), rng)
    mine = picked[usable[picked]]
    known = assessed.taught.points[_thinned(np.arange(len(assessed.taught.points)), rng)]
    with path.open("wb") as file:
        np.savez_compressed(
            file, allow_pickle=False, training=known.astype(np.float32), new=seen.points[shown],
            bands=judged.bands[shown], picked=seen.points[mine],
        )  # fmt: skip


def _thinned(indices: IntArray, rng: np.random.Generator) -> IntArray:
    if len(indices) <= _MAP_POINTS:
        return indices
    return np.sort(rng.choice(indices, _MAP_POINTS, replace=False))


def _write_subset(folder: Path, new: Dataset, picked: IntArray) -> None:
    if not len(picked):
        return
    wanted = np.zeros(new.nframes, dtype=np.bool_)
    wanted[picked] = True
    first = 0
    with DatasetWriter(folder / FRAMES, new.type_map) as writer:
        for system in new.systems(_CHUNK):
            writer.add(system.take(wanted[first : first + system.nframes]))
            first += system.nframes
