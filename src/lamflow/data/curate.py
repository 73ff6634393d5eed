"""Clean a dataset like an expert: rules, duplicates, a committee, decisions, quarantine.

Every frame is kept, repaired or quarantined, each with its reasons; the counts add up.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import numpy as np

from lamflow.data.card import make_card, write_card
from lamflow.data.checks.blocks import check_blocks
from lamflow.data.checks.duplicates import find_duplicates
from lamflow.data.checks.findings import Finding, SystemFault
from lamflow.data.checks.measure import Chemistry, measure
from lamflow.data.checks.reader import FrameReader
from lamflow.data.checks.repair import can_repair, repaired
from lamflow.data.checks.rules import all_rules
from lamflow.data.checks.settings import CheckSettings
from lamflow.data.checks.systems import system_faults
from lamflow.data.dataset import Dataset
from lamflow.data.deepmd_npy import NpySystem
from lamflow.data.frames import System
from lamflow.data.source import Source, retyped
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError, Problem
from lamflow.files import new_folder, write_json
from lamflow.progress import Progress, silent

_CHUNK = 500


@dataclass(frozen=True)
class Curation:
    """What a clean has done; ``frames_in = kept + repaired + quarantined``.

    Attributes
    ----------
    frames_in, kept, repaired, quarantined
        Numbers of readable frames. Frames of systems that cannot be read are not counted.
    by_code
        Frames per fault code.
    unreadable
        Systems that cannot be read, with the reason.
    faults
        What is wrong with whole systems.
    notes
        How well the committee knew each set of elements.
    flags
        System to rejected frames, or "all".
    """

    frames_in: int
    kept: int
    repaired: int
    quarantined: int
    by_code: dict[str, int]
    unreadable: dict[str, str]
    faults: tuple[SystemFault, ...]
    notes: dict[str, str]
    flags: dict[str, list[int] | str]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class _Place:
    """Where a frame lies: index of its source, and its index there."""

    source: int
    origin: int


def curate_dataset(
    source: Path,
    folder: Path,
    quarantine: Path,
    settings: CheckSettings,
    seed: int,
    *,
    fmt: str | None = None,
    type_map: Sequence[str] | None = None,
    name: str | None = None,
    progress: Progress = silent,
) -> Curation:
    """Check a dataset; write the good frames to `folder`, the others to `quarantine`.

    Parameters
    ----------
    source
        The dataset; it is not changed.
    folder
        Gets the cleaned dataset, deepmd/npy/mixed with card.json.
    quarantine
        Gets ``frames/`` (rejected frames), ``flags.json`` (system to rejected frames),
        ``flags.jsonl`` (one finding per line) and ``summary.json``.
    settings
        Decisions and limits.
    seed
        For dealing frames into folds and blocks.
    fmt, type_map
        As for `Dataset.open`.
    name
        Name for the card; default: the folder's.
    progress
        Told about frames.

    Raises
    ------
    InputError
        If nothing can be read, or no frame is left (the quarantine is written all the same).
    """
    dataset = Dataset.open(source, fmt=fmt, type_map=type_map, tolerant=True)
    places, table = _measure(dataset, progress)
    reader = FrameReader(dataset, [(p.source, p.origin) for p in places])
    findings = [f for one in table.values() for rule in all_rules() for f in rule(one)]
    for chemistry in table.values():
        findings += find_duplicates(chemistry, reader)
    notes: dict[str, str] = {}
    faults: list[SystemFault] = []
    if settings.model:
        checked = check_blocks(table, findings, reader, settings, seed, progress)
        findings += checked.findings
        faults += checked.faults
        notes = checked.notes
    names = [one.name for one in dataset.sources]
    faults += system_faults(findings, [names[p.source] for p in places])
    # Energies in another unit are off by nearly a constant too; the unit is the cause.
    in_unit = {fault.system for fault in faults if fault.code == "E_UNIT"}
    faults = [f for f in faults if f.code != "ENERGY_REFERENCE" or f.system not in in_unit]
    decided = _decide(findings, faults, [names[p.source] for p in places], settings)
    curation = _write(dataset, places, decided, faults, notes, folder, quarantine)
    if not curation.kept + curation.repaired:
        what = f"all {curation.frames_in} frames were rejected; {quarantine} tells why"
        raise InputError(Problem(str(source), "", what))
    write_card(folder, make_card(folder, name or folder.name, notes={"clean": _sentence(curation)}))
    return curation


def _measure(dataset: Dataset, progress: Progress) -> tuple[list[_Place], dict[str, Chemistry]]:
    places: list[_Place] = []
    table: dict[str, Chemistry] = {}
    for index, one in enumerate(dataset.sources):
        for system in one.chunks(_CHUNK):
            measure(retyped(system, dataset.type_map), index, len(places), table)
            places += [_Place(index, int(origin)) for origin in system.origins]
            progress(len(places), dataset.nframes, {"measuring": one.name})
    return places, table


@dataclass(frozen=True)
class _Decided:
    """Findings of one frame and what is done about them."""

    findings: tuple[Finding, ...]
    decisions: tuple[str, ...]

    @property
    def rejected(self) -> bool:
        return "reject" in self.decisions

    @property
    def repairs(self) -> list[str]:
        pairs = zip(self.findings, self.decisions, strict=True)
        return list(dict.fromkeys(f.repair for f, decision in pairs if decision == "repair"))


def _decide(
    findings: Sequence[Finding],
    faults: Sequence[SystemFault],
    systems: Sequence[str],
    settings: CheckSettings,
) -> dict[int, _Decided]:
    """Return findings and decisions per frame number; faults count for all frames of a system."""
    grouped: dict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        grouped[finding.frame].append(finding)
    of_system = {fault.system: fault for fault in faults if fault.system}
    for number, system in enumerate(systems):
        if system in of_system:
            fault = of_system[system]
            what = f"whole system: {fault.what}"
            grouped[number].append(Finding(number, fault.code, None, None, what, fault.repair))
    return {
        number: _Decided(
            tuple(mine),
            tuple(settings.decide(f.code, repairable=can_repair(f.repair)) for f in mine),
        )
        for number, mine in sorted(grouped.items())
    }


def _write(
    dataset: Dataset,
    places: Sequence[_Place],
    decided: dict[int, _Decided],
    faults: Sequence[SystemFault],
    notes: dict[str, str],
    folder: Path,
    quarantine: Path,
) -> Curation:
    rejected = np.array([n in decided and decided[n].rejected for n in range(len(places))])
    mended = {n: one.repairs for n, one in decided.items() if one.repairs and not one.rejected}
    names = [one.name for one in dataset.sources]
    with ExitStack() as stack:
        staging = stack.enter_context(new_folder(quarantine))
        if not rejected.all():
            good = stack.enter_context(DatasetWriter(folder, dataset.type_map))
        if rejected.any():
            bad = stack.enter_context(DatasetWriter(staging / "frames", dataset.type_map))
        first = 0
        for system in dataset.systems(_CHUNK):
            out = rejected[first : first + system.nframes]
            if out.any():
                bad.add(system.take(out))
            for part in _mended(system.take(~out), np.flatnonzero(~out) + first, mended):
                good.add(part)
            first += system.nframes
        with (staging / "flags.jsonl").open("w", encoding="utf-8") as file:
            _write_lines(file, places, names, decided)
        curation = Curation(
            frames_in=len(places),
            kept=int((~rejected).sum()) - len(mended),
            repaired=len(mended),
            quarantined=int(rejected.sum()),
            by_code=dict(Counter(f.code for one in decided.values() for f in one.findings)),
            unreadable={name: str(error) for name, error in dataset.faults.items()},
            faults=tuple(faults),
            notes=notes,
            flags=_flags(dataset, places, rejected),
        )
        write_json(staging / "flags.json", curation.flags)
        write_json(staging / "summary.json", curation.to_json())
    return curation


def _mended(system: System, numbers: np.ndarray, mended: dict[int, list[str]]) -> Iterator[System]:
    """Give the frames as they are, and those that are repaired one by one."""
    plain = np.array([int(n) not in mended for n in numbers], dtype=np.bool_)
    if plain.any():
        yield system.take(plain)
    for index in np.flatnonzero(~plain):
        frame = system.take([int(index)])
        for repair in mended[int(numbers[index])]:
            frame = repaired(frame, repair)
        yield frame


def _flags(
    dataset: Dataset, places: Sequence[_Place], rejected: np.ndarray
) -> dict[str, list[int] | str]:
    """Return rejected frames per system, as the score script of the data pack reads them."""
    flags: dict[str, list[int] | str] = {}
    for index, one in enumerate(dataset.sources):
        mine = [
            (p.origin, out) for p, out in zip(places, rejected, strict=True) if p.source == index
        ]
        frames = sorted(origin for origin, out in mine if out)
        flags[_system(dataset, one)] = "all" if len(frames) == len(mine) else frames
    return flags | dict.fromkeys(dataset.faults, "all")


def _system(dataset: Dataset, source: Source) -> str:
    """Name of a source's folder; of its file, if the folder has more than one."""
    parent = PurePosixPath(source.name).parent.as_posix()
    beside = [o for o in dataset.sources if PurePosixPath(o.name).parent.as_posix() == parent]
    if isinstance(source, NpySystem) or parent == "." or len(beside) > 1:
        return source.name
    return parent


def _write_lines(
    file: TextIO, places: Sequence[_Place], names: Sequence[str], decided: dict[int, _Decided]
) -> None:
    for number, one in decided.items():
        for finding, decision in zip(one.findings, one.decisions, strict=True):
            place = places[number]
            line = {"system": names[place.source], **asdict(finding), "frame": place.origin,
                    "decision": decision}  # fmt: skip
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def _sentence(curation: Curation) -> str:
    codes = ", ".join(f"{code} {count}" for code, count in sorted(curation.by_code.items()))
    return (
        f"{curation.frames_in} frames in, {curation.kept} kept, {curation.repaired} repaired, "
        f"{curation.quarantined} quarantined ({codes or 'no findings'})"
    )
