"""Explore from many frames side by side, in child processes that load the model once each."""

import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from lamflow import children
from lamflow.children import Failure, Item, Job
from lamflow.config.base import Integer, Number, StrictModel
from lamflow.data.frames import System
from lamflow.errors import InputError, Problem
from lamflow.explore.protocol import Trajectory
from lamflow.explore.registry import EXPLORERS
from lamflow.explore.store import read_trajectory
from lamflow.files import sha256_json
from lamflow.label.protocol import Labeller
from lamflow.label.registry import LABELLERS
from lamflow.progress import Progress, silent


class ExploreSettings(StrictModel):
    """How exploring runs; nothing here changes a trajectory."""

    walltime_s: Number = Field(default=3600.0, gt=0)
    """Longest time for one trajectory, s."""
    processes: Integer = Field(default=1, ge=1)
    """Child processes at a time."""
    threads: Integer = Field(default=1, ge=1)
    """Threads of each process."""
    group: Integer = Field(default=50, ge=1)
    """Trajectories that one process does, one after the other, with the model loaded once."""


@dataclass(frozen=True)
class Walk:
    """One exploration to do.

    Attributes
    ----------
    name
        Unique; becomes the name of the frames.
    start
        A system; its frame number `frame` is the start.
    explorer, settings
        Name of an explorer and its settings, see `lamflow.explore.registry.EXPLORERS`.
    seed
        Of all its randomness.
    """

    name: str
    start: System
    explorer: str
    settings: Mapping[str, Any]
    seed: int
    frame: int = 0


@dataclass(frozen=True)
class ExploreResult:
    """What exploring gave.

    Attributes
    ----------
    trajectories
        By name of the walk, in the order of the walks; a `Trajectory.stop` tells of a guard.
    failed
        By name of the walk: the ones that gave no trajectory, and why.
    reused
        Number of trajectories that were there already.
    """

    trajectories: Mapping[str, Trajectory]
    failed: Mapping[str, Failure] = field(default_factory=dict)
    reused: int = 0


def explore_all(
    walks: Sequence[Walk],
    folder: Path,
    *,
    model: str = "",
    model_settings: Mapping[str, Any] | None = None,
    settings: ExploreSettings | None = None,
    progress: Progress = silent,
) -> ExploreResult:
    """Do all walks; one that fails does not end the others.

    Trajectories are kept in `folder` as soon as they are done, so that a call after an
    interruption goes on from there.

    Parameters
    ----------
    walks
        What to do.
    folder
        For the trajectories, by content of the walk and the model.
    model, model_settings
        A labeller that gives energies and forces (such as ``teacher``), see
        `lamflow.label.registry.LABELLERS`; empty if no explorer needs one.
    settings
        How to run.
    progress
        Told walks done of all.

    Raises
    ------
    InputError
        If a name occurs twice, a setting is wrong, or the model does not know an element; before
        anything is run.
    """
    settings = settings or ExploreSettings()
    labeller = LABELLERS.build(model, model_settings or {}) if model else None
    _check(walks, labeller)
    items = _items(walks, folder, labeller)
    missing = [item for item in items.values() if not item.result.exists()]
    job = Job(
        "lamflow.explore.child",
        {
            "model": model,
            "model_settings": labeller.settings.model_dump(mode="json") if labeller else {},
        },
        settings.walltime_s,
        settings.threads,
    )
    failures = _run(job, missing, settings, progress, len(items))
    return ExploreResult(
        {
            name: read_trajectory(item.result, name)
            for name, item in items.items()
            if item.result.exists()
        },
        {name: failures[item.result] for name, item in items.items() if item.result in failures},
        len(items) - len(missing),
    )


def _check(walks: Sequence[Walk], labeller: Labeller | None) -> None:
    names = [walk.name for walk in walks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(Problem("", "explore", f"two walks are named {', '.join(twice)}"))
    needing = [w for w in walks if EXPLORERS.build(w.explorer, w.settings).needs_calculator]
    if not needing:
        return
    if labeller is None:
        what = f"{needing[0].explorer} needs a model for energies and forces"
        raise InputError(Problem("", "explore", what))
    for periodic in (False, True):
        elements = {s for w in needing if w.start.periodic == periodic for s in _symbols(w)}
        if elements:
            labeller.check(sorted(elements), periodic)


def _symbols(walk: Walk) -> list[str]:
    return [walk.start.type_map[index] for index in walk.start.types[walk.frame]]


def _items(walks: Sequence[Walk], folder: Path, labeller: Labeller | None) -> dict[str, Item]:
    """Make an item of every walk; its file is named by all that decides its content."""
    items = {}
    for walk in walks:
        symbols, cells = _symbols(walk), walk.start.cells
        data = {
            "symbols": symbols,
            "positions": walk.start.coords[walk.frame].tolist(),
            "cell": None if cells is None else cells[walk.frame].tolist(),
            "explorer": walk.explorer,
            "settings": dict(walk.settings),
            "seed": walk.seed,
        }
        identity = labeller.identity(sorted(set(symbols))) if labeller else None
        key = sha256_json([data, identity])
        items[walk.name] = Item(data, (folder / f"{key}.npz").absolute())
    return items


def _run(
    job: Job, items: Sequence[Item], settings: ExploreSettings, progress: Progress, total: int
) -> dict[Path, Failure]:
    """Do `items` in groups and return why some have no trajectory."""
    size = max(1, min(settings.group, -(-len(items) // settings.processes)))
    groups = [items[i : i + size] for i in range(0, len(items), size)]
    stop = threading.Event()
    failures: dict[Path, Failure] = {}
    done = total - len(items)
    with tempfile.TemporaryDirectory(prefix="lamflow-explore-") as scratch:
        pool = ThreadPoolExecutor(settings.processes)
        try:
            waiting = {
                pool.submit(children.run, job, group, Path(scratch) / f"group-{i:05d}", stop): group
                for i, group in enumerate(groups)
            }
            for ended in as_completed(waiting):
                group = waiting[ended]
                pairs = zip(group, ended.result(), strict=True)
                failures.update((item.result, why) for item, why in pairs if why is not None)
                done += len(group)
                progress(done, total, {"failed": len(failures)})
        finally:
            stop.set()  # on an error or Ctrl-C the children of the others end too
            pool.shutdown(wait=True, cancel_futures=True)
    return failures
