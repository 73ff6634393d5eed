"""Explore from all structures with the model, and keep account of how each trajectory ended."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamflow.errors import RunError
from lamflow.explore.run import ExploreResult, ExploreSettings, Walk, explore_all
from lamflow.files import write_json
from lamflow.learn.committee import frozen
from lamflow.learn.frames import read_structures, write_frames
from lamflow.progress import Progress, silent

SUMMARY = "summary.json"


def explore_structures(
    structures: Mapping[str, Path],
    model: Path,
    folder: Path,
    scratch: Path,
    *,
    name: str,
    explorer: str,
    settings: Mapping[str, Any],
    runs: int,
    seed: int,
    walltime_s: float,
    failures: float,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run `runs` explorations from each structure into a new `folder`.

    Parameters
    ----------
    structures
        Files of starting frames by name.
    model
        Folder of the model that gives forces.
    folder
        Gets ``frames/`` (if there are any) and ``summary.json``.
    scratch
        Finished trajectories are kept there, so that an interrupted call goes on.
    name, explorer, settings
        What to do, see `lamflow.explore.registry.EXPLORERS`.
    runs
        Trajectories from each structure.
    seed
        Of all randomness.
    walltime_s
        Longest time of one trajectory, s.
    failures
        Largest fraction of trajectories that may fail.

    Returns
    -------
    The summary: numbers of frames and of trajectories by end, and why some ended early.

    Raises
    ------
    RunError
        More trajectories failed.
    """
    starts = read_structures(structures)
    walks = [
        Walk(f"{name}-{structure}-{run}", start, explorer, settings, seed + 1000 * run + number)
        for number, (structure, start) in enumerate(starts.items())
        for run in range(1, runs + 1)
    ]
    result = explore_all(
        walks,
        scratch / "trajectories",
        model="teacher",
        model_settings={"model": str(frozen(model).resolve())},
        settings=ExploreSettings(walltime_s=walltime_s),
        progress=progress,
    )
    if len(result.failed) > failures * len(walks):
        why = next(iter(result.failed.values()))
        raise RunError(
            f"{len(result.failed)} of {len(walks)} trajectories failed, the first with: "
            f"{why.message}\n{why.log_tail}"
        )
    frames = write_frames(folder, (one.frames for one in result.trajectories.values()))
    summary = _summary(result, frames)
    write_json(folder / SUMMARY, summary)
    return summary


def nothing_explored(folder: Path) -> dict[str, Any]:
    """Leave the summary of a loop that is over: no trajectory."""
    summary = _summary(ExploreResult({}), 0)
    write_json(folder / SUMMARY, summary)
    return summary


def _summary(result: ExploreResult, frames: int) -> dict[str, Any]:
    stops = {n: one.stop.message for n, one in result.trajectories.items() if one.stop is not None}
    failed = {name: f"failed: {why.message}" for name, why in result.failed.items()}
    return {
        "frames": frames,
        "complete": len(result.trajectories) - len(stops),
        "guarded": len(stops),
        "failed": len(failed),
        "stops": [f"{name}: {message}" for name, message in (stops | failed).items()],
    }
