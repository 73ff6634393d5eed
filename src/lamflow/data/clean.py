"""The basic clean: what any training needs to be true of its frames.

Every frame is kept or quarantined with a reason; the counts add up.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from lamflow.config.clean import CleanSettings
from lamflow.data.card import make_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError, Problem
from lamflow.files import new_folder, write_json
from lamflow.progress import Progress, silent

_CHUNK = 500
# Binding energies per atom are below this in eV; total energies of all-electron codes are above
# it, so a spread (not a size) beyond it points to other units or to mixed references.
_WIDE_SPREAD_EV = 20.0
_SAME_PLACE_A = 1e-4


@dataclass(frozen=True)
class Finding:
    """Something that a check found in one frame.

    Attributes
    ----------
    code
        Which check, for example ``NAN``.
    decision
        ``reject`` or ``warn``.
    value, threshold
        The number that was found and the limit that it broke; None where there is none.
    what
        Explanation with units.
    """

    code: str
    decision: str
    value: float | None
    threshold: float | None
    what: str


@dataclass(frozen=True)
class CleanSummary:
    """What a clean has done: ``frames_in = kept + quarantined``."""

    frames_in: int
    kept: int
    quarantined: int
    by_code: dict[str, int]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "frames_in": self.frames_in,
            "kept": self.kept,
            "quarantined": self.quarantined,
            "by_code": self.by_code,
            "warnings": list(self.warnings),
        }


def clean_dataset(
    source: Dataset,
    folder: Path,
    quarantine: Path,
    settings: CleanSettings,
    *,
    name: str | None = None,
    progress: Progress = silent,
) -> CleanSummary:
    """Write the good frames of `source` to `folder` and the rejected ones to `quarantine`.

    Parameters
    ----------
    source
        What to clean; it is not changed.
    folder
        The cleaned dataset, with card.json.
    quarantine
        Gets ``frames/`` (rejected frames, deepmd/npy/mixed), ``reasons.jsonl`` (one line per
        finding) and ``summary.json``.
    settings
        What to do about each kind of fault.
    name
        Name for the card; default: the folder's.
    progress
        Told about frames read.

    Raises
    ------
    InputError
        If no frame is left; the quarantine is written all the same.
    """
    checks = _FrameChecks(settings)
    by_code: Counter[str] = Counter()
    done = 0
    with ExitStack() as stack:
        staging = stack.enter_context(new_folder(quarantine))
        reasons = stack.enter_context((staging / "reasons.jsonl").open("w", encoding="utf-8"))
        good = _Lazy(folder, source, stack)
        bad = _Lazy(staging / "frames", source, stack)
        for system in source.systems(_CHUNK):
            findings = checks(system)
            rejected = np.array([any(f.decision == "reject" for f in one) for one in findings])
            good.add(system.take(~rejected))
            bad.add(system.take(rejected))
            by_code.update(f.code for one in findings for f in one)
            _write_reasons(reasons, system, findings)
            done += system.nframes
            progress(done, source.nframes, {"rejected": bad.nframes})
        summary = CleanSummary(
            done, good.nframes, bad.nframes, dict(by_code), tuple(checks.warnings())
        )
        write_json(staging / "summary.json", summary.to_json())
    if not summary.kept:
        what = f"all {done} frames were rejected; {quarantine / 'reasons.jsonl'} tells why"
        raise InputError(Problem(str(source.path), "", what))
    write_card(folder, make_card(folder, name or folder.name, notes={"clean": _sentence(summary)}))
    return summary


class _Lazy:
    """A dataset writer that makes its folder when the first frame comes."""

    def __init__(self, folder: Path, source: Dataset, stack: ExitStack) -> None:
        self._new = DatasetWriter(folder, source.type_map)
        self._writer: DatasetWriter | None = None
        self._stack = stack

    @property
    def nframes(self) -> int:
        return self._writer.nframes if self._writer else 0

    def add(self, system: System) -> None:
        if not system.nframes:
            return
        if self._writer is None:
            self._writer = self._stack.enter_context(self._new)
        self._writer.add(system)


class _FrameChecks:
    """All checks of one clean; remembers what has to be seen across frames."""

    def __init__(self, settings: CleanSettings) -> None:
        self._settings = settings
        self._seen: dict[bytes, str] = {}
        self._lowest: dict[tuple[int, ...], float] = {}
        self._widest = 0.0

    def __call__(self, system: System) -> list[list[Finding]]:
        """Return the findings of each frame."""
        findings: list[list[Finding]] = [[] for _ in range(system.nframes)]
        for check in (self._finite, self._forces, self._duplicates):
            for index, finding in check(system):
                findings[index].append(finding)
        self._watch_energies(system)
        return findings

    def warnings(self) -> Iterator[str]:
        """Give what is odd about the dataset as a whole."""
        if self._settings.units != "off" and self._widest > _WIDE_SPREAD_EV:
            yield (
                f"energies of one composition differ by {self._widest:.3g} eV per atom (more than "
                f"{_WIDE_SPREAD_EV:g}): units or energy references may be mixed"
            )

    def _finite(self, system: System) -> Iterator[tuple[int, Finding]]:
        if self._settings.finite == "off":
            return
        arrays: dict[str, NDArray[np.float64] | None] = {
            "coordinates": system.coords, "cell": system.cells, "energy": system.energies,
            "forces": system.forces, "virial": system.virials,
        }  # fmt: skip
        for name, array in arrays.items():
            if array is None:
                continue
            wrong = np.logical_not(np.isfinite(array.reshape(system.nframes, -1)))
            for index in np.flatnonzero(wrong.any(axis=1)):
                what = f"{int(wrong[index].sum())} numbers of {name} are NaN or infinite"
                yield int(index), Finding("NOT_FINITE", self._settings.finite, None, None, what)
        if system.cells is not None:
            volumes = np.abs(np.linalg.det(np.where(np.isfinite(system.cells), system.cells, 0.0)))
            for index in np.flatnonzero(volumes < 1e-3):
                what = f"cell volume is {volumes[index]:.3g} Å³"
                value = float(volumes[index])
                yield int(index), Finding("CELL_ZERO", self._settings.finite, value, 1e-3, what)

    def _forces(self, system: System) -> Iterator[tuple[int, Finding]]:
        if self._settings.forces == "off" or system.forces is None:
            return
        limit = self._settings.max_force
        finite = np.isfinite(system.forces.reshape(system.nframes, -1)).all(axis=1)
        largest = np.zeros(system.nframes)
        largest[finite] = np.linalg.norm(system.forces[finite], axis=-1).max(axis=1)
        for index in np.flatnonzero(largest > limit):
            value = float(largest[index])
            what = f"force of {value:.4g} eV/Å on an atom, more than {limit:g}"
            yield int(index), Finding("FORCE_LARGE", self._settings.forces, value, limit, what)

    def _duplicates(self, system: System) -> Iterator[tuple[int, Finding]]:
        if self._settings.duplicates == "off":
            return
        for index in range(system.nframes):
            digest = _frame_hash(system, index)
            place = f"{system.name}:{system.origins[index]}"
            first = self._seen.setdefault(digest, place)
            if first != place:
                what = f"the same atoms in the same places as {first}"
                yield index, Finding("DUPLICATE", self._settings.duplicates, None, None, what)

    def _watch_energies(self, system: System) -> None:
        if system.energies is None:
            return
        for counts, energy in zip(system.counts(), system.energies / system.natoms, strict=True):
            if np.isfinite(energy):
                lowest = self._lowest.setdefault(tuple(counts), float(energy))
                self._widest = max(self._widest, abs(float(energy) - lowest))


def _frame_hash(system: System, index: int) -> bytes:
    """Hash elements, places (rounded to 1e-4 Å) and cell; labels do not count."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(system.types[index].tobytes())
    for array in (system.coords, system.cells):
        if array is not None:
            digest.update(np.round(array[index] / _SAME_PLACE_A).tobytes())
    return digest.digest()


def _write_reasons(file: TextIO, system: System, findings: list[list[Finding]]) -> None:
    for index, found in enumerate(findings):
        for one in found:
            line = {
                "system": system.name, "frame": int(system.origins[index]), "code": one.code,
                "decision": one.decision, "value": one.value, "threshold": one.threshold,
                "what": one.what,
            }  # fmt: skip
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def _sentence(summary: CleanSummary) -> str:
    return (
        f"{summary.frames_in} frames in, {summary.kept} kept, {summary.quarantined} quarantined "
        f"({', '.join(f'{code} {n}' for code, n in summary.by_code.items()) or 'no findings'})"
    )
