"""Run the model check over blocks of frames, on all cores, with memory for a few blocks."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lamflow.data.checks.basis import LocalBasis
from lamflow.data.checks.findings import Finding, SystemFault
from lamflow.data.checks.measure import (
    BAD_CELL,
    BAD_COORD,
    BAD_ENERGY,
    BAD_FORCE,
    BAD_VIRIAL,
    Chemistry,
)
from lamflow.data.checks.model_check import FEWEST, ModelCheck, check_labels
from lamflow.data.checks.reader import FrameReader
from lamflow.data.checks.settings import CheckSettings
from lamflow.progress import Progress, silent

_BLOCK_BYTES = 600_000_000
# Geometry that is wrong: nothing can be learnt from such a frame, whatever its labels.
_GEOMETRY = {"OVERLAP", "STRETCHED", "CELL_SCALE", "CELL_ZERO", "DUP"}
_LABEL = {"E_UNIT": 0, "E_OUTLIER": 0, "F_EXPLODE": 1, "NET_FORCE": 1}


@dataclass
class Checked:
    """What the model check found in all blocks."""

    findings: list[Finding] = field(default_factory=list)
    faults: list[SystemFault] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Block:
    """Frames to check together."""

    elements: str
    numbers: list[int]
    distrusted: NDArray[np.bool_]


def check_blocks(
    table: dict[str, Chemistry],
    findings: Sequence[Finding],
    reader: FrameReader,
    settings: CheckSettings,
    seed: int,
    progress: Progress = silent,
) -> Checked:
    """Check labels of all sets of elements.

    Parameters
    ----------
    table
        Measured frames.
    findings
        What rules have found: frames of wrong geometry are left out, labels that are known to be
        wrong are not learnt from.
    reader
        Returns frames by number.
    settings
        Size of blocks and number of processes.
    seed
        For dealing frames into blocks and folds.
    progress
        Told about blocks.
    """
    blocks = list(_blocks(table, findings, settings.block, seed))
    checked = Checked()
    for done, (block, result) in enumerate(_run(blocks, reader, settings, seed), start=1):
        checked.findings += result.findings
        checked.faults += [f for f in result.faults if f not in checked.faults]
        checked.notes[block.elements] = result.note
        progress(done, len(blocks), {"checking labels": block.elements})
    checked.findings.sort(key=lambda finding: (finding.frame, finding.code))
    return checked


def _blocks(
    table: dict[str, Chemistry], findings: Sequence[Finding], size: int, seed: int
) -> Iterator[_Block]:
    codes: dict[int, set[str]] = {}
    for finding in findings:
        codes.setdefault(finding.frame, set()).add(finding.code)
    for elements, chemistry in table.items():
        broken = chemistry.column("broken").astype(int)
        usable = [
            index for index, frame in enumerate(chemistry.frames)
            if not broken[index] & (BAD_COORD | BAD_CELL)
            and not codes.get(frame, set()) & _GEOMETRY
        ]  # fmt: skip
        if len(usable) < FEWEST:
            continue
        width = 12.0 * float(np.mean(chemistry.column("natoms")[usable]))
        width *= LocalBasis(len(chemistry.elements)).size
        largest = max(FEWEST, min(size, int(_BLOCK_BYTES / width)))
        order = np.random.default_rng(seed).permutation(usable)
        for part in np.array_split(order, -(-len(order) // largest)):
            indices = np.sort(part)
            numbers = [chemistry.frames[i] for i in indices]
            distrusted = np.array([_distrusted(broken[i], codes.get(n, set()))
                                   for i, n in zip(indices, numbers, strict=True)])  # fmt: skip
            yield _Block(elements, numbers, distrusted)


def _distrusted(broken: int, codes: set[str]) -> list[bool]:
    kinds = {_LABEL[code] for code in codes if code in _LABEL}
    bits = (BAD_ENERGY, BAD_FORCE, BAD_VIRIAL)
    return [kind in kinds or bool(broken & bit) for kind, bit in enumerate(bits)]


def _run(
    blocks: Sequence[_Block], reader: FrameReader, settings: CheckSettings, seed: int
) -> Iterator[tuple[_Block, ModelCheck]]:
    workers = min(settings.workers or os.cpu_count() or 1, len(blocks))
    if workers < 2:
        for block in blocks:
            frames = [reader(number) for number in block.numbers]
            yield block, check_labels(block.numbers, block.distrusted, frames, seed)
        return
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: dict[Future[ModelCheck], _Block] = {}
        for block in blocks:
            if len(waiting) > workers:
                yield from _finished(waiting)
            job = (block.numbers, block.distrusted, [reader(n) for n in block.numbers], seed)
            future = pool.submit(check_labels, *job)
            waiting[future] = block
        while waiting:
            yield from _finished(waiting)


def _finished(waiting: dict[Future[ModelCheck], _Block]) -> Iterator[tuple[_Block, ModelCheck]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep the processes from starting a thread per core each, for linear algebra."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
