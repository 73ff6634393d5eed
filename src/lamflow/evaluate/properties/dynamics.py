"""What trajectories tell: structure, diffusion, conservation of energy, survival, speed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.data.frames import FloatArray

if TYPE_CHECKING:
    from ase import Atoms

_SHORTEST = 0.5  # Å; no two nuclei of a material are nearer
_HOTTEST = 5.0  # times the wanted temperature


def radial_distribution(
    frames: "Sequence[Atoms]", cutoff: float, bins: int = 100
) -> tuple[FloatArray, FloatArray]:
    """Average g(r) over the frames of a periodic system.

    Parameters
    ----------
    frames
        Periodic, all with the same number of atoms.
    cutoff
        Largest distance, Å; images of atoms are counted, so it may exceed half of the cell.
    bins
        Number of intervals.

    Returns
    -------
    Middles of the intervals (bins,) Å, and g (bins,).

    Notes
    -----
    M. P. Allen and D. J. Tildesley, Computer Simulation of Liquids, 2nd ed. (2017), Sec. 8.2.
    """
    from ase.neighborlist import neighbor_list

    edges = np.linspace(0.0, cutoff, bins + 1)
    shells = 4 / 3 * np.pi * (edges[1:] ** 3 - edges[:-1] ** 3)
    total = np.zeros(bins)
    for atoms in frames:
        distances = neighbor_list("d", atoms, cutoff)
        density = len(atoms) / atoms.get_volume()
        total += np.histogram(distances, edges)[0] / (len(atoms) * density * shells)
    return (edges[1:] + edges[:-1]) / 2, total / len(frames)


def mean_squared_displacement(positions: FloatArray) -> FloatArray:
    """Return the displacement from the first frame, squared, averaged over atoms.

    Parameters
    ----------
    positions
        (nframes, natoms, 3) Å, not folded back into the cell. The motion of the centre (all atoms
        weigh the same) is taken out.

    Returns
    -------
    (nframes,) Å².
    """
    moved = positions - positions[0]
    moved = moved - moved.mean(axis=1, keepdims=True)
    return np.asarray((moved**2).sum(axis=2).mean(axis=1))


def diffusion_coefficient(times: FloatArray, displacement: FloatArray) -> float:
    """Return the slope of the mean squared displacement, divided by six.

    Parameters
    ----------
    times
        (nframes,) fs.
    displacement
        (nframes,) Å², see `mean_squared_displacement`; its second half is fitted.

    Returns
    -------
    Å²/fs (1 Å²/fs = 0.1 cm²/s).

    Notes
    -----
    A. Einstein, Ann. Phys. 322, 549 (1905).
    """
    half = len(times) // 2
    return float(np.polyfit(times[half:], displacement[half:], 1)[0] / 6)


@dataclass(frozen=True)
class Drift:
    """Conservation of the energy without a thermostat.

    Attributes
    ----------
    slope
        Of the total energy, eV/atom/ps.
    spread
        Root mean square of what remains, eV/atom.
    """

    slope: float
    spread: float


@dataclass(frozen=True, eq=False)
class NveRun:
    """A trajectory without a thermostat.

    Attributes
    ----------
    times
        (nsteps + 1,) ps.
    energies
        (nsteps + 1,) total, eV/atom.
    positions
        (nsteps + 1, natoms, 3) Å, not folded back into the cell.
    """

    times: FloatArray
    energies: FloatArray
    positions: FloatArray

    @property
    def drift(self) -> Drift:
        """Line through the total energy: forces that are no gradient show as a slope."""
        slope, offset = np.polyfit(self.times, self.energies, 1)
        rest = self.energies - (slope * self.times + offset)
        return Drift(float(slope), float(np.sqrt(np.mean(rest**2))))


@dataclass(frozen=True, eq=False)
class NvtRun:
    """A trajectory with a thermostat, until its end or until it leaves the physics.

    Attributes
    ----------
    survived
        How long it stayed physical, ps.
    frames
        Sampled frames, with their velocities.
    complete
        Whether it stayed physical to the end.
    """

    survived: float
    frames: "tuple[Atoms, ...]"
    complete: bool


def run_nve(atoms: "Atoms", calculator: Any, *, steps: int, timestep: float) -> NveRun:
    """Run NVE with the velocities that `atoms` have.

    Parameters
    ----------
    atoms, calculator
        Where to start.
    steps, timestep
        Number of steps, and fs of each.

    Notes
    -----
    Velocity Verlet: W. C. Swope et al., J. Chem. Phys. 76, 637 (1982).
    """
    from ase.md.verlet import VelocityVerlet
    from ase.units import fs

    moving = atoms.copy()
    moving.calc = calculator
    energies: list[float] = []
    positions: list[FloatArray] = []

    def note() -> None:
        energies.append(moving.get_total_energy() / len(moving))
        positions.append(moving.positions.copy())

    dynamics = VelocityVerlet(moving, timestep=timestep * fs)
    dynamics.attach(note, interval=1)
    dynamics.run(steps)
    times = np.arange(len(energies)) * timestep / 1000
    return NveRun(times, np.array(energies), np.array(positions))


def energy_drift(
    atoms: "Atoms",
    calculator: Any,
    *,
    temperature: float,
    steps: int,
    timestep: float,
    rng: np.random.Generator,
) -> Drift:
    """Run NVE from random velocities and fit the total energy.

    Parameters
    ----------
    atoms
        Where to start.
    calculator
        ASE calculator.
    temperature
        Of the initial velocities, K; half of it goes into potential energy.
    steps, timestep
        Number of steps, and fs of each.
    rng
        Draws the velocities.
    """
    start = _thermal(atoms, calculator, temperature, rng)
    return run_nve(start, calculator, steps=steps, timestep=timestep).drift


def run_nvt(
    atoms: "Atoms",
    calculator: Any,
    *,
    temperature: float,
    steps: int,
    timestep: float,
    rng: np.random.Generator,
    save_every: int = 10,
) -> NvtRun:
    """Run NVT from random velocities until the trajectory leaves the physics.

    It is over when an energy or force is not finite, two atoms are nearer than 0.5 Å, or the
    temperature exceeds five times the wanted one.

    Parameters
    ----------
    atoms, calculator, temperature, steps, timestep, rng
        As in `energy_drift`; the friction is 0.01/fs.
    save_every
        Steps between frames.

    Notes
    -----
    X. Fu et al., Trans. Mach. Learn. Res. (2023), arXiv:2210.07237: low errors of forces do not
    make stable dynamics.
    """
    from ase.md.langevin import Langevin
    from ase.units import fs

    moving = _thermal(atoms, calculator, temperature, rng)
    dynamics = Langevin(
        moving, timestep * fs, temperature_K=temperature, friction=0.01 / fs, fixcm=False, rng=rng
    )
    frames = [moving.copy()]
    for step in range(steps):
        dynamics.run(1)
        if not _is_physical(moving, temperature):
            return NvtRun(step * timestep / 1000, tuple(frames), False)
        if (step + 1) % save_every == 0 or step + 1 == steps:
            frames.append(moving.copy())
    return NvtRun(steps * timestep / 1000, tuple(frames), True)


def survival_time(
    atoms: "Atoms",
    calculator: Any,
    *,
    temperature: float,
    steps: int,
    timestep: float,
    rng: np.random.Generator,
) -> float:
    """Return how long `run_nvt` stayed physical, ps."""
    run = run_nvt(
        atoms, calculator, temperature=temperature, steps=steps, timestep=timestep, rng=rng
    )
    return run.survived


def _is_physical(atoms: "Atoms", temperature: float) -> bool:
    from ase.neighborlist import neighbor_list

    if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.get_forces()).all():
        return False
    if not np.isfinite(atoms.get_potential_energy()):
        return False
    return (
        atoms.get_temperature() <= _HOTTEST * temperature
        and not neighbor_list("i", atoms, _SHORTEST).size
    )


def md_speed(
    atoms: "Atoms", calculator: Any, *, steps: int, rng: np.random.Generator, timestep: float = 1.0
) -> float:
    """Time NVE steps at 300 K after one to warm up; return atoms × steps per second."""
    from ase.md.verlet import VelocityVerlet
    from ase.units import fs

    moving = _thermal(atoms, calculator, 300.0, rng)
    dynamics = VelocityVerlet(moving, timestep=timestep * fs)
    dynamics.run(1)
    started = time.perf_counter()
    dynamics.run(steps)
    return len(moving) * steps / (time.perf_counter() - started)


def _thermal(
    atoms: "Atoms", calculator: Any, temperature: float, rng: np.random.Generator
) -> "Atoms":
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

    moving = atoms.copy()
    moving.calc = calculator
    MaxwellBoltzmannDistribution(moving, temperature_K=temperature, rng=rng)
    Stationary(moving)
    return moving
