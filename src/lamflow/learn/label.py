"""Label one share of the selected frames, from files to files."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.files import write_json
from lamflow.label.run import LabelSettings, label_systems
from lamflow.learn.frames import stream_frames, take_frames, write_frames
from lamflow.progress import Progress, silent

LABELLED = "labelled.json"
CACHE = "LAMFLOW_LABEL_CACHE"


def label_cache() -> Path:
    """Folder where labels are kept for all runs: ``$LAMFLOW_LABEL_CACHE`` or the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get(CACHE) or Path(base) / "lamflow/labels")


def label_share(
    chosen: Path,
    folder: Path,
    *,
    share: int,
    of: int,
    engine: str,
    settings: dict[str, Any],
    walltime_s: float,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Label every `of`-th frame, from number `share` (from 0) on, into a new `folder`.

    Parameters
    ----------
    chosen
        Folder with ``frames/`` if there are any.
    folder
        Gets ``frames/``, the quarantine and ``labelled.json``.
    engine, settings
        See `lamflow.label.registry.LABELLERS`.
    walltime_s
        Longest time for one frame, s.

    Returns
    -------
    What is in ``labelled.json``: frames `asked` for, `labelled`, `computed` now and `cached`, and
    the `rejected` with the reason of each.
    """
    systems = list(stream_frames(chosen))
    total = sum(system.nframes for system in systems)
    mine = take_frames(systems, np.arange(share, total, of))
    result = label_systems(
        mine, engine, settings, label_cache(), LabelSettings(walltime_s=walltime_s),
        progress=progress,
    )  # fmt: skip
    done = {
        "asked": sum(system.nframes for system in mine),
        "labelled": write_frames(folder, result.labelled),
        "computed": result.computed,
        "cached": result.cached,
        "label_seconds": round(result.seconds, 1),
        "rejected": [
            {
                "system": one.system,
                "origin": one.origin,
                "kind": one.failure.kind,
                "message": one.failure.message,
                "log": one.failure.log_tail,
            }
            for one in result.rejected
        ],
    }
    write_frames(folder / "quarantine", result.quarantine)
    write_json(folder / LABELLED, done)
    return done
