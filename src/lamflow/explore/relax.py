"""Relax a frame with the model: the frames on the way down are candidates too."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from lamflow.config.base import Flag, Integer, PositiveNumber, StrictModel
from lamflow.explore.guards import Guards, GuardSettings
from lamflow.explore.protocol import Stop, Trajectory
from lamflow.explore.recorder import Recorder
from lamflow.progress import Progress, silent

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator


class RelaxSettings(StrictModel):
    """Settings of a relaxation."""

    steps: Integer = Field(default=200, ge=1)
    """Steps at most."""
    force_eV_per_A: PositiveNumber = 0.02  # noqa: N815
    """Ends when the longest force is shorter, eV/Å."""
    cell: Flag = False
    """Whether the cell of a crystal is relaxed too."""
    save_every: Integer = Field(default=5, ge=1)
    """Steps between frames; first and last are kept anyway."""
    guards: GuardSettings = Field(default=GuardSettings())
    """When to stop."""


class Relax:
    """Explores by relaxation with FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006))."""

    settings_type: ClassVar[type[StrictModel]] = RelaxSettings
    needs_calculator: ClassVar[bool] = True

    def __init__(self, settings: RelaxSettings) -> None:
        self.settings = settings

    def explore(
        self,
        start: "Atoms",
        calculator: "BaseCalculator | None",
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> Trajectory:
        """Relax from `start`; nothing is random."""
        from ase.filters import FrechetCellFilter
        from ase.optimize import FIRE

        atoms = start.copy()
        atoms.calc = calculator
        moved = FrechetCellFilter(atoms) if self.settings.cell and start.pbc.all() else atoms
        recorder, guards = Recorder(), Guards(self.settings.guards, atoms)
        stop = self._run(atoms, FIRE(moved, logfile=None), recorder, guards, progress)
        return recorder.trajectory(start, sorted(set(start.symbols)), stop)

    def _run(
        self,
        atoms: "Atoms",
        optimizer: Any,
        recorder: Recorder,
        guards: Guards,
        progress: Progress,
    ) -> Stop | None:
        settings = self.settings
        step = 0
        for step, done in enumerate(optimizer.irun(settings.force_eV_per_A, settings.steps)):
            stop = guards.check(atoms, step, distances=True)
            if stop is not None:
                return stop
            if step % settings.save_every == 0 or done:
                recorder.keep(atoms, step, float(atoms.get_potential_energy()))
            progress(step, settings.steps, {})
        recorder.keep(atoms, step, float(atoms.get_potential_energy()))
        return None
