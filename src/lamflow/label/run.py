"""Label frames: each once, in child processes, with retries, a cache and a quarantine."""

import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from lamflow import children
from lamflow.children import Failure, Item, Job
from lamflow.config.base import Integer, Number, StrictModel
from lamflow.data.frames import System
from lamflow.files import read_json, sha256_json
from lamflow.label.protocol import Labeller
from lamflow.label.registry import LABELLERS
from lamflow.progress import Progress, silent

# A process that died may have met a full machine; an unconverged field may need softer mixing.
# A walltime would be spent again for nothing, and bad input stays bad.
_RETRY_GENTLY = "unconverged"
_RETRY_AS_IT_IS = "crashed"


class LabelSettings(StrictModel):
    """How labelling runs; nothing here changes a label."""

    walltime_s: Number = Field(default=3600.0, gt=0)
    """Longest time for one frame, s."""
    processes: Integer = Field(default=1, ge=1)
    """Frames that are labelled at a time."""
    threads: Integer = Field(default=1, ge=1)
    """Threads of each process."""
    largest_net_force_eV_per_A: Number = Field(default=0.1, gt=0)  # noqa: N815
    """Longest sum of a frame's forces, eV/Å; more is no label."""


@dataclass(frozen=True)
class Rejected:
    """A frame without a label: where it came from, and why."""

    system: str
    origin: int
    failure: Failure


@dataclass(frozen=True)
class LabelResult:
    """What labelling gave; labelled and rejected frames add up to those asked for.

    Attributes
    ----------
    labelled
        The frames that have labels, in their order; systems without any are left out.
    quarantine
        The frames that have none, unlabelled.
    rejected
        Why, in the order of `quarantine`'s frames.
    computed, cached
        Labels computed now, and those that were there already.
    seconds
        Time that the engine took for the labels computed now, s.
    """

    labelled: tuple[System, ...]
    quarantine: tuple[System, ...]
    rejected: tuple[Rejected, ...]
    computed: int
    cached: int
    seconds: float

    @property
    def reasons(self) -> dict[str, int]:
        """Number of rejected frames by kind of failure."""
        return dict(Counter(rejected.failure.kind for rejected in self.rejected))


def label_systems(
    systems: Sequence[System],
    engine: str,
    engine_settings: dict[str, Any],
    cache: Path,
    settings: LabelSettings | None = None,
    *,
    progress: Progress = silent,
) -> LabelResult:
    """Label every frame of `systems`.

    A frame whose label is in `cache` is not computed again. Labels go there as soon as they are
    known, so that nothing is lost if this process is killed; the next call goes on from there.

    Parameters
    ----------
    systems
        Frames; their own labels are ignored.
    engine, engine_settings
        Name of a labeller and its settings, see `lamflow.label.registry.LABELLERS`.
    cache
        Folder for labels by content; runs may share it.
    settings
        How to run.
    progress
        Told frames done of all.

    Raises
    ------
    InputError
        If the labeller is unknown, its settings are wrong, its engine is not installed or can't
        treat an element; before anything is run.
    """
    settings = settings or LabelSettings()
    labeller = LABELLERS.build(engine, engine_settings)
    for periodic in {system.periodic for system in systems}:
        labeller.check(_elements(systems, periodic), periodic)
    common = {
        "labeller": engine,
        "settings": labeller.settings.model_dump(mode="json"),
        "gentle": False,
        "largest_net_force_eV_per_A": settings.largest_net_force_eV_per_A,
    }
    job = Job("lamflow.label.child", common, settings.walltime_s, settings.threads)
    items = _items(systems, engine, labeller, cache)
    wanted = {item.result: item for line in items for item in line}
    missing = [item for item in wanted.values() if _read(item.result) is None]
    for item in missing:
        item.result.unlink(missing_ok=True)  # one that can't be read must not look like a label
    run = _Run(job, settings.processes, progress, sum(map(len, items)))
    failures = run.all(missing, labeller.frames_per_process)
    labels = {path: label for path in wanted if (label := _read(path)) is not None}
    new = [labels[item.result] for item in missing if item.result in labels]
    parts = [
        _divide(system, [item.result for item in line], labels, failures)
        for system, line in zip(systems, items, strict=True)
    ]
    return LabelResult(
        tuple(good for good, _, _ in parts if good.nframes),
        tuple(bad for _, bad, _ in parts if bad.nframes),
        tuple(rejected for _, _, why in parts for rejected in why),
        computed=len(new),
        cached=len(labels) - len(new),
        seconds=sum(label["seconds"] for label in new),
    )


def _elements(systems: Sequence[System], periodic: bool) -> tuple[str, ...]:
    found: set[str] = set()
    for system in systems:
        if system.periodic == periodic:
            found.update(system.type_map[index] for index in np.unique(system.types))
    return tuple(sorted(found))


def _items(
    systems: Sequence[System], engine: str, labeller: Labeller, cache: Path
) -> list[list[Item]]:
    """Make an item of every frame, one list per system."""
    identities: dict[tuple[str, ...], dict[str, Any]] = {}
    items = []
    for system in systems:
        line = []
        for frame in range(system.nframes):
            symbols = [system.type_map[index] for index in system.types[frame]]
            elements = tuple(sorted(set(symbols)))
            if elements not in identities:
                identities[elements] = labeller.identity(elements)
            identity = identities[elements]
            positions = system.coords[frame].tolist()
            cell = None if system.cells is None else system.cells[frame].tolist()
            key = sha256_json([engine, identity, symbols, positions, cell])
            path = (cache / key[:2] / f"{key}.json").absolute()
            data = {"symbols": symbols, "positions": positions, "cell": cell, "identity": identity}
            line.append(Item(data, path))
        items.append(line)
    return items


def _read(path: Path) -> dict[str, Any] | None:
    """Read a label from the cache; None if there is none that can be read."""
    try:
        label: dict[str, Any] = read_json(path)
    except (OSError, ValueError):
        return None
    return label


def _divide(
    system: System,
    paths: Sequence[Path],
    labels: dict[Path, dict[str, Any]],
    failures: dict[Path, Failure],
) -> tuple[System, System, list[Rejected]]:
    """Part a system into labelled frames, frames without a label, and the reasons for those."""
    has = np.array([path in labels for path in paths], dtype=bool)
    bare = replace(system, energies=None, forces=None, virials=None)
    found = [labels[path] for path in paths if path in labels]
    virials = [label["virial_eV"] for label in found]
    good = replace(
        bare.take(has),
        energies=np.array([label["energy_eV"] for label in found], dtype=np.float64),
        forces=np.array([label["forces_eV_per_A"] for label in found], dtype=np.float64).reshape(
            len(found), system.natoms, 3
        ),
        virials=np.array(virials, dtype=np.float64) if virials and None not in virials else None,
    )
    rejected = [
        Rejected(system.name, int(system.origins[frame]), failures[paths[frame]])
        for frame in np.flatnonzero(~has).tolist()
    ]
    return good, bare.take(~has), rejected


class _Run:
    """Labels missing frames in several children at a time."""

    def __init__(self, job: Job, processes: int, progress: Progress, total: int) -> None:
        self._job = job
        self._gentle = replace(job, common={**job.common, "gentle": True})
        self._processes = processes
        self._progress = progress
        self._total = total
        self._stop = threading.Event()

    def all(self, items: Sequence[Item], per_process: int) -> dict[Path, Failure]:
        """Label `items` and return why some have no label."""
        share = max(1, min(per_process, -(-len(items) // self._processes)))
        batches = [items[i : i + share] for i in range(0, len(items), share)]
        failures: dict[Path, Failure] = {}
        done = self._total - len(items)
        self._progress(done, self._total, {"failed": 0})
        with tempfile.TemporaryDirectory(prefix="lamflow-label-") as scratch:
            pool = ThreadPoolExecutor(self._processes)
            try:
                waiting = {
                    pool.submit(self._batch, batch, Path(scratch) / f"batch-{i:05d}"): batch
                    for i, batch in enumerate(batches)
                }
                for ended in as_completed(waiting):
                    failures.update(ended.result())
                    done += len(waiting[ended])
                    self._progress(done, self._total, {"failed": len(failures)})
            finally:
                self._stop.set()  # on an error or Ctrl-C the children of the others end too
                pool.shutdown(wait=True, cancel_futures=True)
        return failures

    def _batch(self, items: Sequence[Item], folder: Path) -> dict[Path, Failure]:
        failures = dict(self._attempt(items, self._job, folder / "first"))
        again = [item for item in items if _kind(failures, item) == _RETRY_AS_IT_IS]
        if again:
            failures |= self._attempt(again, self._job, folder / "again")
        gently = [item for item in items if _kind(failures, item) == _RETRY_GENTLY]
        if gently:
            failures |= self._attempt(gently, self._gentle, folder / "gently")
        return {path: failure for path, failure in failures.items() if failure is not None}

    def _attempt(
        self, items: Sequence[Item], job: Job, folder: Path
    ) -> Iterator[tuple[Path, Failure | None]]:
        failures = children.run(job, items, folder, self._stop)
        return ((item.result, failure) for item, failure in zip(items, failures, strict=True))


def _kind(failures: dict[Path, Failure | None], item: Item) -> str:
    failure = failures.get(item.result)
    return "" if failure is None else failure.kind
