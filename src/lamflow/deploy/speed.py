"""How long a model takes for a step, by atoms: ``python -m lamflow.deploy.speed JOB OUT``.

A process of its own, so that its peak memory is the model's and its threads are those asked for.
"""

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.data.frames import System
from lamflow.files import read_json, write_json
from lamflow.train.child import run_module

if TYPE_CHECKING:
    from ase import Atoms

_WARM_UP = 3  # TorchScript specializes in the first calls
_STEPS, _LEAST_STEPS = 10, 2
_ENOUGH_S = 2.0
_MOVE_A = 1e-3
_SEED = 0


def repeated(atoms: "Atoms", natoms: int) -> "Atoms":
    """Repeat a crystal to have about `natoms` atoms, in a cell as cubic as can be.

    A crystal that is larger, and anything without a cell, stays as it is.
    """
    if not atoms.pbc.all():
        return atoms.copy()
    lengths = atoms.cell.lengths()
    best, error = (1, 1, 1), np.inf
    for counts in _counts(max(1, round(natoms / len(atoms)))):
        total = len(atoms) * int(np.prod(counts))
        sides = lengths * np.array(counts)
        found = abs(np.log(total / natoms)) * 10 + float(np.log(sides.max() / sides.min()))
        if found < error:
            best, error = counts, found
    return atoms.repeat(best)


def _counts(most: int) -> Iterator[tuple[int, int, int]]:
    """Ways to repeat a cell up to about `most` times."""
    for a in range(1, most + 1):
        for b in range(1, most // a + 1):
            rest = most / (a * b)
            for c in {max(1, int(rest)), max(1, int(rest) + 1)}:
                yield a, b, c


def time_model(
    model: Path, cells: "Sequence[Atoms]", slowest_s: float
) -> list[dict[str, float | str]]:
    """Time energy, forces and virial of each cell; atoms move a little in each step.

    Parameters
    ----------
    model
        Frozen or compressed model.
    cells
        Smallest first.
    slowest_s
        Cells behind one that takes longer than this for a step are left out, s.

    Returns
    -------
    For each cell: `atoms`, `wall_ms` (the fastest step), `cpu_ms` (mean processor time of a step),
    `memory_MB` (peak of the process so far) and the `device`.
    """
    from lamflow.evaluate.predictor import DeepmdPredictor
    from lamflow.label.atoms import from_atoms

    predictor = DeepmdPredictor(model)
    rng = np.random.default_rng(_SEED)
    rows: list[dict[str, float | str]] = []
    for atoms in cells:
        system = from_atoms(atoms, predictor.type_map)
        warm = _steps(predictor, system, rng, _WARM_UP, 1)[0]
        wall, cpu = _steps(predictor, system, rng, _STEPS, _LEAST_STEPS)
        rows.append(
            {"atoms": len(atoms), "wall_ms": 1000 * wall, "cpu_ms": 1000 * cpu,
             "memory_MB": _peak_memory_mb(), "device": _device()}
        )  # fmt: skip
        if min(warm, wall) > slowest_s:
            break
    return rows


def _steps(
    predictor: Any, system: System, rng: np.random.Generator, most: int, least: int
) -> tuple[float, float]:
    """Fastest wall time and mean processor time of a step, s."""
    walls: list[float] = []
    started, cpu = time.perf_counter(), time.process_time()
    while len(walls) < most:
        system.coords[:] += rng.normal(0, _MOVE_A, system.coords.shape)
        before = time.perf_counter()
        predictor.predict(system)
        walls.append(time.perf_counter() - before)
        if len(walls) >= least and time.perf_counter() - started > _ENOUGH_S:
            break
    return min(walls), (time.process_time() - cpu) / len(walls)


def _peak_memory_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def time_models(
    models: Mapping[str, Path],
    structure: "Atoms",
    sizes: Sequence[int],
    folder: Path,
    *,
    slowest_s: float,
    threads: int = 1,
) -> dict[str, list[dict[str, Any]]]:
    """Time several models on the same cells, each in a process of its own.

    Parameters
    ----------
    models
        Model files by name.
    structure
        Repeated to have about as many atoms as each of `sizes`.
    folder
        For the processes' files.
    threads
        Of each process.

    Returns
    -------
    Rows of `time_model` by name.
    """
    from ase.io import write

    folder.mkdir(parents=True, exist_ok=True)
    cells = [repeated(structure, size) for size in sorted(sizes)]
    write(folder / "cells.extxyz", cells, format="extxyz")
    count = str(threads)
    environment = {
        "OMP_NUM_THREADS": count,
        "DP_INTRA_OP_PARALLELISM_THREADS": count,
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
    }
    found = {}
    for name, model in models.items():
        job, out = folder / f"{name}.json", folder / f"{name}.out.json"
        told = {
            "model": str(model.resolve()), "cells": "cells.extxyz", "slowest_s": slowest_s,
        }  # fmt: skip
        write_json(job, told)
        run_module(
            "lamflow.deploy.speed", [job.name, out.name], folder=folder,
            log=folder / "speed.log", environment=environment,
        )  # fmt: skip
        found[name] = read_json(out)
    return found


def main() -> None:
    """Time the model that the job file names."""
    from ase.io import read

    job = read_json(Path(sys.argv[1]))
    os.environ.setdefault("DP_INFER_BATCH_SIZE", "1000000")
    cells = read(job["cells"], index=":", format="extxyz")
    write_json(Path(sys.argv[2]), time_model(Path(job["model"]), cells, job["slowest_s"]))


if __name__ == "__main__":
    main()
