"""Stop a trajectory before it leaves the physics: each guard names the step and the atoms."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from lamflow.config.base import Integer, Number, StrictModel
from lamflow.data.frames import FloatArray
from lamflow.explore.protocol import Stop

if TYPE_CHECKING:
    from ase import Atoms

_BONDED = 1.25  # a bond at the start: closer than so many sums of covalent radii


class GuardSettings(StrictModel):
    """Limits of a trajectory; null switches a guard off."""

    highest_temperature_K: Number | None = Field(default=10_000.0, gt=0)  # noqa: N815
    """Highest instantaneous temperature, K."""
    energy_spike_eV_per_atom: Number | None = Field(default=2.0, gt=0)  # noqa: N815
    """Largest change of the potential energy since the start, eV/atom."""
    closest: Number | None = Field(default=0.5, gt=0, lt=1)
    """Smallest distance of two atoms, in sums of their covalent radii."""
    longest_bond: Number | None = Field(default=2.0, gt=1)
    """Longest bond of a molecule, in its lengths at the start; bonds of crystals are not kept."""
    volume_factor: Number | None = Field(default=2.0, gt=1)
    """How many times larger or smaller than at the start the volume may get."""
    distances_every: Integer = Field(default=10, ge=1)
    """Steps between looks at distances and bonds; every saved frame is looked at too."""


class Guards:
    """Watches one trajectory.

    Parameters
    ----------
    settings
        The limits.
    start
        The frame at step 0, with its calculator.
    """

    def __init__(self, settings: GuardSettings, start: "Atoms") -> None:
        self._settings = settings
        self._energy = float(start.get_potential_energy())
        self._periodic = bool(start.pbc.any())
        self._volume = start.get_volume() if self._periodic else 0.0
        self._bonds, self._lengths = _bonds(start)

    def check(self, atoms: "Atoms", step: int, *, distances: bool) -> Stop | None:
        """Tell the first guard that the frame breaks, None if it is fine.

        Distances and bonds are looked at only if `distances`: they take longer.
        """
        found = _not_finite(atoms) or self._temperature(atoms) or self._energy_spike(atoms)
        found = found or self._volume_change(atoms)
        if not found and distances:
            found = self._too_close(atoms) or self._lost_bond(atoms)
        if not found:
            return None
        guard, culprits, what = found
        named = ", ".join(f"{index} ({atoms.symbols[index]})" for index in culprits)
        where = f"step {step}" + (f", atom {named}" if len(culprits) == 1 else "")
        where += f", atoms {named}" if len(culprits) > 1 else ""
        return Stop(guard, step, culprits, f"{where}: {what}")

    def _temperature(self, atoms: "Atoms") -> "_Found":
        limit = self._settings.highest_temperature_K
        temperature = atoms.get_temperature()
        if limit is None or temperature <= limit:
            return None
        speeds = np.linalg.norm(atoms.get_velocities(), axis=1)
        what = f"temperature {temperature:.0f} K, limit {limit:g} K; this atom is the fastest"
        return "temperature", (int(speeds.argmax()),), what

    def _energy_spike(self, atoms: "Atoms") -> "_Found":
        limit = self._settings.energy_spike_eV_per_atom
        change = (atoms.get_potential_energy() - self._energy) / len(atoms)
        if limit is None or abs(change) <= limit:
            return None
        forces = np.linalg.norm(atoms.get_forces(), axis=1)
        what = (
            f"energy changed by {change:+.3g} eV/atom since the start, limit {limit:g}; "
            "the largest force is on this atom"
        )
        return "energy", (int(forces.argmax()),), what

    def _volume_change(self, atoms: "Atoms") -> "_Found":
        limit = self._settings.volume_factor
        if limit is None or not self._periodic:
            return None
        ratio = atoms.get_volume() / self._volume
        if 1 / limit <= ratio <= limit:
            return None
        return "volume", (), f"volume is {ratio:.3g} times that of the start, limit {limit:g}"

    def _too_close(self, atoms: "Atoms") -> "_Found":
        limit = self._settings.closest
        if limit is None:
            return None
        pair = closest_pair(atoms, limit)
        if pair is None:
            return None
        first, second, distance = pair
        what = f"{distance:.2f} Å apart, limit {limit:g} of the covalent radii's sum"
        return "distance", (first, second), what

    def _lost_bond(self, atoms: "Atoms") -> "_Found":
        limit = self._settings.longest_bond
        if limit is None or self._periodic or not len(self._bonds):
            return None
        ends = atoms.positions[self._bonds]
        lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
        worst = int((lengths / self._lengths).argmax())
        if lengths[worst] <= limit * self._lengths[worst]:
            return None
        first, second = self._bonds[worst]
        what = f"bond is {lengths[worst]:.2f} Å long, {self._lengths[worst]:.2f} Å at the start"
        return "bond", (int(first), int(second)), what


_Found = tuple[str, tuple[int, ...], str] | None


def _not_finite(atoms: "Atoms") -> _Found:
    for name, array in (("position", atoms.positions), ("force", atoms.get_forces())):
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            return "not_finite", (int(bad[0]),), f"{name} not finite"
    if not np.isfinite(atoms.get_potential_energy()):
        return "not_finite", (), "energy not finite"
    return None


def closest_pair(atoms: "Atoms", limit: float) -> tuple[int, int, float] | None:
    """Find the pair that is closest in sums of covalent radii.

    Returns
    -------
    Both indices and the distance in Å; None if no pair is closer than `limit` sums. An atom may be
    too close to its own image.
    """
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    radii = limit * covalent_radii[atoms.numbers]
    firsts, seconds, distances = neighbor_list("ijd", atoms, list(radii), self_interaction=False)
    if not len(firsts):
        return None
    worst = int((distances / (radii[firsts] + radii[seconds])).argmin())
    return int(firsts[worst]), int(seconds[worst]), float(distances[worst])


def _bonds(atoms: "Atoms") -> tuple[Sequence[tuple[int, int]], FloatArray]:
    """Return the bonds of a molecule and their lengths, (nbonds,) Å; none of a crystal."""
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    if atoms.pbc.any():
        return [], np.empty(0)
    firsts, seconds, lengths = neighbor_list("ijd", atoms, _BONDED * covalent_radii[atoms.numbers])
    once = firsts < seconds
    pairs = list(zip(firsts[once].tolist(), seconds[once].tolist(), strict=True))
    return pairs, np.asarray(lengths[once], dtype=np.float64)
