"""Change a frame at random: rattled positions, strained cells, vacancies, substitutions.

Cells are strained by a symmetric matrix and never rotated (dpdata's own perturbation rotates them
and has no seed).
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from lamflow.config.base import Integer, Number, StrictModel
from lamflow.errors import InputError, Problem
from lamflow.explore.guards import closest_pair
from lamflow.explore.protocol import Trajectory
from lamflow.explore.recorder import Recorder
from lamflow.progress import Progress, silent

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

_TRIES_PER_FRAME = 20


class PerturbSettings(StrictModel):
    """Settings of random changes; each frame gets all of them."""

    frames: Integer = Field(ge=1)
    """Number of frames."""
    rattle_A: Number = Field(default=0.1, ge=0)  # noqa: N815
    """Standard deviation of each coordinate's move, Å."""
    strain: Number = Field(default=0.03, ge=0, lt=0.5)
    """Largest component of the strain, uniform between plus and minus this; crystals only."""
    vacancies: Integer = Field(default=0, ge=0)
    """Atoms that are taken out."""
    substitutions: dict[str, dict[str, Number]] = Field(default={})
    """Element to element to the fraction of its atoms, on average, that become that one."""
    closest: Number = Field(default=0.6, gt=0, lt=1)
    """Smallest distance of two atoms in sums of their covalent radii; closer frames are drawn
    again."""


class Perturb:
    """Explores by random changes of the start; needs no model."""

    settings_type: ClassVar[type[StrictModel]] = PerturbSettings
    needs_calculator: ClassVar[bool] = False

    def __init__(self, settings: PerturbSettings) -> None:
        self.settings = settings

    def explore(
        self,
        start: "Atoms",
        calculator: "BaseCalculator | None",
        rng: np.random.Generator,
        progress: Progress = silent,
    ) -> Trajectory:
        """Draw frames, numbered from 0 in place of steps.

        Raises
        ------
        InputError
            If no atom would be left, fractions do not fit, or too many frames have atoms that
            are too close.
        """
        self._check(start)
        recorder, frames = Recorder(), self.settings.frames
        made, tries = 0, 0
        while made < frames:
            tries += 1
            if tries > _TRIES_PER_FRAME * frames:
                what = f"atoms are too close in all but {made} of {tries} frames; rattle less"
                raise InputError(Problem("", "explore.perturb.rattle_A", what))
            atoms = self._draw(start, rng)
            if closest_pair(atoms, self.settings.closest) is None:
                recorder.keep(atoms, made)
                made += 1
                progress(made, frames, {})
        new = {new for options in self.settings.substitutions.values() for new in options}
        return recorder.trajectory(start, sorted({*start.symbols, *new}), None)

    def _check(self, start: "Atoms") -> None:
        from ase.data import atomic_numbers

        if self.settings.vacancies >= len(start):
            what = f"would leave no atom of {len(start)}"
            raise InputError(Problem("", "explore.perturb.vacancies", what))
        for old, options in self.settings.substitutions.items():
            key = f"explore.perturb.substitutions.{old}"
            unknown = [element for element in (old, *options) if element not in atomic_numbers]
            if unknown:
                raise InputError(Problem("", key, f"{', '.join(unknown)}: no such element"))
            if min(options.values(), default=0) < 0 or sum(options.values()) > 1:
                raise InputError(Problem("", key, "fractions must be from 0 to 1, 1 in sum"))

    def _draw(self, start: "Atoms", rng: np.random.Generator) -> "Atoms":
        atoms = start.copy()
        if self.settings.vacancies:
            del atoms[rng.choice(len(atoms), self.settings.vacancies, replace=False).tolist()]
        self._substitute(atoms, rng)
        if atoms.pbc.any():
            strain = rng.uniform(-self.settings.strain, self.settings.strain, (3, 3))
            strain = np.triu(strain) + np.triu(strain, 1).T
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        atoms.positions += rng.normal(0, self.settings.rattle_A, atoms.positions.shape)
        return atoms

    def _substitute(self, atoms: "Atoms", rng: np.random.Generator) -> None:
        symbols = np.array(atoms.symbols)
        drawn = rng.random(len(atoms))
        new = symbols.copy()
        for old, options in self.settings.substitutions.items():
            edges = np.cumsum(list(options.values()))
            places = np.searchsorted(edges, drawn, side="right")
            for place, element in enumerate(options):
                new[(symbols == old) & (places == place)] = element
        atoms.symbols[:] = new
