"""Proof that a student can be used: errors, stability, structure and elasticity beside the teacher.

A low force error on given frames does not make stable dynamics (X. Fu et al., Trans. Mach. Learn.
Res. 2023, arXiv:2210.07237), so the deployed student is run.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.config.base import StrictModel
from lamflow.data.dataset import Dataset
from lamflow.data.frames import FloatArray, System
from lamflow.data.references import Baseline, dataset_references
from lamflow.deploy.package import MODEL
from lamflow.errors import LamflowError
from lamflow.evaluate.errors import Parity, head_errors
from lamflow.evaluate.predictor import DeepmdPredictor, Predictor
from lamflow.evaluate.properties.bulk import elastic_tensor, equation_of_state, relaxed
from lamflow.evaluate.properties.dynamics import energy_drift, radial_distribution
from lamflow.explore.md import Md, MdSettings
from lamflow.explore.protocol import Trajectory
from lamflow.label.atoms import to_atoms
from lamflow.label.model_calculator import ModelCalculator
from lamflow.learn.committee import frozen
from lamflow.learn.frames import read_structures
from lamflow.progress import Progress, silent

if TYPE_CHECKING:
    from ase import Atoms

_CHUNK = 200
_MILLI = 1000.0
_RDF_CUTOFF_A = 6.0
_RDF_FRAMES = 100
_FS_PER_PS = 1000.0


class DynamicsSettings(StrictModel):
    """How long the proof runs."""

    temperature_K: float  # noqa: N815
    """The domain's highest temperature, K."""
    timestep_fs: float
    """Time step, fs."""
    nvt_ps: float
    """Length of each NVT run, ps."""
    nvt_runs: int
    """Runs of different velocities."""
    nve_ps: float
    """Length of the NVE run, ps."""
    teacher_ps: float
    """Length of the teacher's run, ps."""
    seed: int
    """Of the velocities."""

    def steps(self, picoseconds: float) -> int:
        """Number of steps of a run."""
        return max(1, round(picoseconds * _FS_PER_PS / self.timestep_fs))


def prove_errors(
    deploy: Path, teacher: Path, labels: Path, test: Path | None, parity_file: Path, seed: int
) -> dict[str, Any]:
    """Errors of the deployed student against the teacher, and of both against DFT.

    Parameters
    ----------
    deploy
        The deployment.
    teacher
        Model folder of one head.
    labels
        Folder with ``train/`` and ``validation/``, the teacher's labels.
    test
        Frames with DFT labels that neither has seen; None leaves DFT out.
    parity_file
        Gets the points of the student's parity plots (npz): against DFT if there is a test set.
    seed
        Decides which points.

    Returns
    -------
    Errors (see `lamflow.evaluate.errors.head_errors`) under `student_teacher`, and, if there is a
    test set, `student_dft` and `teacher_dft`; each with the force RMSE `by_element`, meV/Å.
    """
    student, master = DeepmdPredictor(deploy / MODEL), DeepmdPredictor(frozen(teacher))
    parity = Parity(np.random.default_rng(seed))
    held = Dataset.open(labels / "validation")
    base = Baseline(dataset_references(Dataset.open(labels / "train")))
    found = {
        "student_teacher": _errors(student, held, base, None if test else parity),
    }
    if test is not None:
        frames = Dataset.open(test)
        base = Baseline(dataset_references(frames))
        found["student_dft"] = _errors(student, frames, base, parity)
        found["teacher_dft"] = _errors(master, frames, base, None)
    with parity_file.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **parity.arrays())
    return found


def _errors(
    model: Predictor, frames: Dataset, baseline: Baseline, parity: Parity | None
) -> dict[str, Any]:
    found = head_errors(model, frames.systems(_CHUNK), baseline, parity=parity)
    return {**found, "by_element": force_rmse_by_element(model, frames.systems(_CHUNK))}


def force_rmse_by_element(model: Predictor, systems: Iterable[System]) -> dict[str, float]:
    """Force RMSE of the atoms of each element, meV/Å."""
    squares: dict[str, float] = {}
    counts: dict[str, int] = {}
    for system in systems:
        if system.forces is None:
            continue
        error = np.square(model.predict(system).forces - system.forces)
        for index, symbol in enumerate(system.type_map):
            mine = error[system.types == index]
            if mine.size:
                squares[symbol] = squares.get(symbol, 0.0) + float(mine.sum())
                counts[symbol] = counts.get(symbol, 0) + mine.size
    return {
        symbol: _MILLI * float(np.sqrt(squares[symbol] / counts[symbol]))
        for symbol in sorted(squares)
    }


def prove_dynamics(
    deploy: Path,
    teacher: Path,
    structure: Path,
    settings: DynamicsSettings,
    *,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the deployed student from the first frame of `structure`, and compare with the teacher.

    Returns
    -------
    `nve` (drift), `nvt` (survival of each run), `rdf` of both, and for crystals `eos` and
    `elastic` of both; what can't be computed has a `reason` instead.
    """
    start = to_atoms(next(iter(read_structures({"start": structure}).values())), 0)
    student = ModelCalculator(DeepmdPredictor(deploy / MODEL))
    master = ModelCalculator(DeepmdPredictor(frozen(teacher)))
    runs = [
        _nvt(start, student, settings, settings.nvt_ps, settings.seed + run, progress)
        for run in range(settings.nvt_runs)
    ]
    found: dict[str, Any] = {
        "atoms": len(start),
        "formula": start.get_chemical_formula("metal"),
        "nvt": [_survival(run, settings) for run in runs],
        "nve": _attempt(lambda: _nve(start, student, settings)),
    }
    if start.pbc.all():
        theirs = _nvt(start, master, settings, settings.teacher_ps, settings.seed, silent)
        found["rdf"] = _attempt(lambda: _rdf(runs[0], theirs))
        calculators = {"student": student, "teacher": master}
        bulk = {whose: _bulk(start, one) for whose, one in calculators.items()}
        for name in ("eos", "elastic"):
            found[name] = {whose: one[name] for whose, one in bulk.items()}
    return found


def _attempt(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Compute, or say why it could not be done: one property must not cost the others."""
    try:
        return compute()
    except _FAILURES as error:
        return {"reason": str(error)}


def _nvt(
    start: "Atoms",
    calculator: Any,
    settings: DynamicsSettings,
    picoseconds: float,
    seed: int,
    progress: Progress,
) -> Trajectory:
    steps = settings.steps(picoseconds)
    md = Md(
        MdSettings(
            steps=steps, temperature_K=settings.temperature_K, timestep_fs=settings.timestep_fs,
            save_every=max(1, steps // _RDF_FRAMES),
        )
    )  # fmt: skip
    return md.explore(start, calculator, np.random.default_rng(seed), progress)


def _survival(run: Trajectory, settings: DynamicsSettings) -> dict[str, Any]:
    wanted = settings.steps(settings.nvt_ps)
    reached = wanted if run.stop is None else run.stop.step
    return {
        "wanted_ps": settings.nvt_ps,
        "survived_ps": reached * settings.timestep_fs / _FS_PER_PS,
        "temperature_K": settings.temperature_K,
        "mean_temperature_K": float(np.mean(run.temperatures[len(run.temperatures) // 2 :])),
        "stop": None if run.stop is None else run.stop.message,
    }


def _nve(start: "Atoms", calculator: Any, settings: DynamicsSettings) -> dict[str, Any]:
    drift = energy_drift(
        start, calculator, temperature=settings.temperature_K,
        steps=settings.steps(settings.nve_ps), timestep=settings.timestep_fs,
        rng=np.random.default_rng(settings.seed),
    )  # fmt: skip
    slope = _MILLI * drift.slope  # meV/atom/ps
    return {
        "ps": settings.nve_ps,
        "drift_meV_per_atom_per_ns": _FS_PER_PS * slope,
        "drift_meV_per_atom": abs(slope) * settings.nve_ps,
        "spread_meV_per_atom": _MILLI * drift.spread,
    }


def _rdf(student: Trajectory, teacher: Trajectory) -> dict[str, Any]:
    g = {}
    for name, run in (("student", student), ("teacher", teacher)):
        late = range(run.frames.nframes // 5, run.frames.nframes)
        r, g[name] = radial_distribution([to_atoms(run.frames, k) for k in late], _RDF_CUTOFF_A)
    return {
        "r_A": r.tolist(), "student": g["student"].tolist(), "teacher": g["teacher"].tolist(),
        "overlap": rdf_overlap(r, g["student"], g["teacher"]),
    }  # fmt: skip


def rdf_overlap(r: FloatArray, one: FloatArray, other: FloatArray) -> float:
    """Share of the pairs that two radial distributions have in common, 0 to 1.

    ∫min(g₁, g₂)r²dr / ∫max(g₁, g₂)r²dr.
    """
    most = float((np.maximum(one, other) * r**2).sum())
    return float((np.minimum(one, other) * r**2).sum()) / most if most else 1.0


def _bulk(start: "Atoms", calculator: Any) -> dict[str, dict[str, Any]]:
    """Equation of state and elastic constants of the relaxed crystal, or why there are none."""
    try:
        rest = relaxed(start, calculator, fmax=_FMAX, steps=_RELAX_STEPS)
    except _FAILURES as error:
        return {name: {"reason": str(error)} for name in ("eos", "elastic")}
    return {
        "eos": _attempt(lambda: _eos(rest, calculator)),
        "elastic": _attempt(lambda: _elastic(rest, calculator)),
    }


def _eos(rest: "Atoms", calculator: Any) -> dict[str, Any]:
    fit = equation_of_state(rest, calculator)
    return {"volume_A3_per_atom": fit.volume, "bulk_modulus_GPa": fit.bulk_modulus}


def _elastic(rest: "Atoms", calculator: Any) -> dict[str, Any]:
    tensor = elastic_tensor(rest, calculator, relax_atoms=False)
    return {
        "C11_GPa": float(np.mean([tensor[i, i] for i in range(3)])),
        "C12_GPa": float(np.mean([tensor[0, 1], tensor[0, 2], tensor[1, 2]])),
        "C44_GPa": float(np.mean([tensor[i, i] for i in range(3, 6)])),
    }


_FMAX = 0.01  # eV/Å; models in float32 can't be relaxed much further
_RELAX_STEPS = 150  # a crystal near its rest needs tens; a bad student would wander for minutes
_FAILURES = (LamflowError, ArithmeticError, ValueError)


def summary(errors: Mapping[str, Any], dynamics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The numbers that decide: what the student costs in accuracy, and whether it is stable."""
    student = errors.get("student_dft", {}).get("force_rmse_meV_per_A")
    teacher = errors.get("teacher_dft", {}).get("force_rmse_meV_per_A")
    drifts = [
        abs(one["nve"]["drift_meV_per_atom_per_ns"])
        for one in dynamics.values()
        if "reason" not in one["nve"]
    ]
    runs = [run for one in dynamics.values() for run in one["nvt"]]
    return {
        "student_over_teacher": student / teacher if student and teacher else None,
        "drift_meV_per_atom_per_ns": max(drifts) if len(drifts) == len(dynamics) else None,
        "survived": sum(run["stop"] is None for run in runs),
        "runs": len(runs),
    }
