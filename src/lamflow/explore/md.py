"""Molecular dynamics by ASE: NVE, NVT and NPT, with temperature ramps and guards."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from lamflow.config.base import Integer, Number, PositiveNumber, StrictModel
from lamflow.errors import InputError, Problem
from lamflow.explore.guards import Guards, GuardSettings
from lamflow.explore.protocol import Stop, Trajectory
from lamflow.explore.recorder import Recorder
from lamflow.progress import Progress, silent

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator
    from ase.md.md import MolecularDynamics

_REPORTS = 100


class Nve(StrictModel):
    """Constant energy (velocity Verlet)."""

    ensemble: Literal["nve"]
    """Which ensemble."""


class NvtLangevin(StrictModel):
    """Constant temperature by friction and noise; for molecules and anything small."""

    ensemble: Literal["nvt-langevin"] = "nvt-langevin"
    """Which ensemble."""
    friction_per_fs: PositiveNumber = 0.01
    """Friction, 1/fs."""


class NvtBussi(StrictModel):
    """Constant temperature by stochastic velocity rescaling; disturbs the dynamics least."""

    ensemble: Literal["nvt-bussi"]
    """Which ensemble."""
    thermostat_fs: PositiveNumber = 100.0
    """Time constant, fs."""


class Npt(StrictModel):
    """Constant temperature and pressure (Martyna, Tobias, Klein); crystals only."""

    ensemble: Literal["npt", "npt-isotropic"]
    """`npt`: the whole cell moves; `npt-isotropic`: its shape stays."""
    pressure_GPa: Number = 0.0  # noqa: N815
    """Pressure, GPa."""
    thermostat_fs: PositiveNumber = 100.0
    """Time constant of the temperature, fs."""
    barostat_fs: PositiveNumber = 1000.0
    """Time constant of the pressure, fs."""


Ensemble = Annotated[Nve | NvtLangevin | NvtBussi | Npt, Field(discriminator="ensemble")]


class MdSettings(StrictModel):
    """Settings of a molecular dynamics run."""

    steps: Integer = Field(ge=1)
    """Number of steps."""
    temperature_K: PositiveNumber  # noqa: N815
    """Temperature of the start, K; that of the thermostat too unless it is ramped."""
    end_temperature_K: PositiveNumber | None = None  # noqa: N815
    """Temperature at the end of a linear ramp, K; NVT only."""
    timestep_fs: PositiveNumber = 1.0
    """Time step, fs; 0.5 or less with hydrogen."""
    ensemble: Ensemble = Field(default=NvtLangevin())
    """Ensemble and thermostat."""
    save_every: Integer = Field(default=10, ge=1)
    """Steps between frames."""
    guards: GuardSettings = Field(default=GuardSettings())
    """When to stop."""


class Md:
    """Explores by molecular dynamics.

    The start is the first frame. A guard that is broken ends the run; the last frame that was
    fine is kept too, because frames just before a break are worth a label.
    """

    settings_type: ClassVar[type[StrictModel]] = MdSettings
    needs_calculator: ClassVar[bool] = True

    def __init__(self, settings: MdSettings) -> None:
        self.settings = settings

    def explore(
        self,
        start: "Atoms",
        calculator: "BaseCalculator | None",
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> Trajectory:
        """Run from `start` with velocities of a Maxwell-Boltzmann distribution."""
        self._check(start)
        atoms = start.copy()
        atoms.calc = calculator
        _set_velocities(atoms, self.settings.temperature_K, rng)
        dynamics = _dynamics(atoms, self.settings, rng)
        recorder = Recorder()
        stop = self._run(atoms, dynamics, recorder, progress)
        return recorder.trajectory(start, sorted(set(start.symbols)), stop)

    def _check(self, start: "Atoms") -> None:
        ensemble = self.settings.ensemble
        if isinstance(ensemble, Npt) and not start.pbc.all():
            raise InputError(Problem("", "explore.md.ensemble", "a molecule has no pressure"))
        ramp = self.settings.end_temperature_K
        if ramp is not None and not isinstance(ensemble, NvtLangevin | NvtBussi):
            raise InputError(
                Problem("", "explore.md.end_temperature_K", "only NVT ensembles can be ramped")
            )

    def _run(
        self, atoms: "Atoms", dynamics: "MolecularDynamics", recorder: Recorder, progress: Progress
    ) -> Stop | None:
        settings = self.settings
        guards = Guards(settings.guards, atoms)
        fine: tuple[Atoms, int, float, float] | None = None
        for step, _ in enumerate(dynamics.irun(settings.steps)):
            save = step % settings.save_every == 0 or step == settings.steps
            look = save or step % settings.guards.distances_every == 0
            stop = guards.check(atoms, step, distances=look)
            if stop is not None:
                if fine is not None:
                    recorder.keep(*fine)
                return stop
            values = (float(atoms.get_potential_energy()), float(atoms.get_temperature()))
            if look:
                fine = (atoms.copy(), step, *values)
            if save:
                recorder.keep(atoms, step, *values)
            if step % max(1, settings.steps // _REPORTS) == 0:
                progress(step, settings.steps, {"temperature_K": round(values[1], 1)})
            self._ramp(dynamics, step)
        return None

    def _ramp(self, dynamics: Any, step: int) -> None:
        """Set the thermostat for the next step."""
        from ase.units import kB

        settings = self.settings
        if settings.end_temperature_K is None:
            return
        done = min(1.0, (step + 1) / settings.steps)
        change = settings.end_temperature_K - settings.temperature_K
        target = settings.temperature_K + done * change
        if isinstance(settings.ensemble, NvtLangevin):
            dynamics.set_temperature(temperature_K=target)
        else:
            dynamics.target_kinetic_energy = 0.5 * kB * target * dynamics.ndof


def _set_velocities(atoms: "Atoms", temperature_K: float, rng: np.random.Generator) -> None:  # noqa: N803
    """Draw velocities; the whole neither moves nor, if it is a molecule, turns."""
    from ase.md.velocitydistribution import (
        MaxwellBoltzmannDistribution,
        Stationary,
        ZeroRotation,
    )

    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature_K, rng=rng)
    if len(atoms) > 1:
        Stationary(atoms)
        if not atoms.pbc.any() and len(atoms) > 2:
            ZeroRotation(atoms)


def _dynamics(
    atoms: "Atoms", settings: MdSettings, rng: np.random.Generator
) -> "MolecularDynamics":
    from ase import units
    from ase.md.bussi import Bussi
    from ase.md.langevin import Langevin
    from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT
    from ase.md.verlet import VelocityVerlet

    step, ensemble = settings.timestep_fs * units.fs, settings.ensemble
    if isinstance(ensemble, Nve):
        return VelocityVerlet(atoms, step)
    if isinstance(ensemble, NvtLangevin):
        # fixcm=True would take 3/(3N) of the heat away, half of it for a molecule of two atoms
        return Langevin(atoms, step, temperature_K=settings.temperature_K, fixcm=False, rng=rng,
                        friction=ensemble.friction_per_fs / units.fs)  # fmt: skip
    if isinstance(ensemble, NvtBussi):
        return Bussi(atoms, step, settings.temperature_K, ensemble.thermostat_fs * units.fs, rng)
    kind = MTKNPT if ensemble.ensemble == "npt" else IsotropicMTKNPT
    return kind(
        atoms, step, temperature_K=settings.temperature_K,
        pressure_au=ensemble.pressure_GPa * units.GPa,
        tdamp=ensemble.thermostat_fs * units.fs, pdamp=ensemble.barostat_fs * units.fs,
    )  # fmt: skip
