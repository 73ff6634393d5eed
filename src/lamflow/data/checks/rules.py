"""Rules: checks that need no model, only the frame and the frames of the same elements."""

from collections.abc import Iterator
from typing import ClassVar, Protocol

import numpy as np

from lamflow.data.checks.findings import Finding
from lamflow.data.checks.measure import (
    BAD_CELL,
    BAD_COORD,
    BAD_ENERGY,
    BAD_FORCE,
    BAD_VIRIAL,
    Chemistry,
)
from lamflow.data.checks.robust import scores, spread
from lamflow.data.frames import FloatArray

_ENOUGH = 10


class Rule(Protocol):
    """A check of all frames of one chemistry."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of what it finds."""

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give what is wrong."""


class Finite:
    """Numbers that are not numbers, and cells without a volume.

    A NaN in one label makes the loss of a whole batch NaN.
    """

    codes: tuple[str, ...] = ("NAN", "CELL_ZERO")
    _parts: ClassVar[dict[int, str]] = {
        BAD_ENERGY: "the energy", BAD_FORCE: "the forces", BAD_VIRIAL: "the virial",
        BAD_COORD: "the coordinates",
    }  # fmt: skip

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give frames with NaN, infinity or a flat cell."""
        for frame, bits in zip(
            chemistry.frames, chemistry.column("broken").astype(int), strict=True
        ):
            parts = [name for bit, name in self._parts.items() if bits & bit]
            if parts:
                what = f"NaN or infinity in {' and '.join(parts)}"
                yield Finding(frame, "NAN", None, None, what)
            if bits & BAD_CELL:
                what = "the cell is not finite or has no volume"
                yield Finding(frame, "CELL_ZERO", 0.0, 1e-3, what)


class LeftHanded:
    """Cells whose lattice vectors form a left-handed set.

    DeePMD-kit and most codes write right-handed cells; a negative determinant says that rows were
    exchanged. The structure is the same crystal only if nothing else was exchanged with them.
    """

    codes: tuple[str, ...] = ("CELL_LEFT",)

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give left-handed frames, unless left-handed is how the whole set is written."""
        hand = chemistry.column("handedness")
        if (hand < 0).sum() > (hand > 0).sum():
            return
        for index in np.flatnonzero(hand < 0):
            what = "lattice vectors are left-handed (negative determinant), others are not"
            yield Finding(chemistry.frames[index], "CELL_LEFT", -1.0, 0.0, what, "exchange rows")


class Overlap:
    """Atoms that sit in each other.

    A pair is an overlap if it is shorter than half of what is usual for its elements in this set
    and shorter than 0.6 times the sum of covalent radii (or 0.5 Å), and the forces do not answer:
    a true frame of a reacting system with so short a bond has forces far above the usual ones.
    """

    codes: tuple[str, ...] = ("OVERLAP",)
    usual = 0.5
    bond = 0.6
    bond_a = 0.5
    answer = 3.0
    never = 0.35

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give frames with an overlap."""
        closest = np.array(chemistry.closest)
        radii = chemistry.radii_sums()
        limit = np.tile(self.never * radii, (len(closest), 1))
        if len(closest) >= _ENOUGH:
            middle = np.array([spread(column)[0] for column in closest.T])
            limit = np.fmax(
                limit, np.fmin(self.usual * middle, np.fmax(self.bond * radii, self.bond_a))
            )
        largest = chemistry.column("force_max")
        answered = largest > self.answer * spread(largest)[0]
        wrong = (closest < limit) & ~(answered[:, None] & (closest > self.never * radii))
        for index, pair in zip(*np.nonzero(wrong), strict=True):
            value, edge = float(closest[index, pair]), float(limit[index, pair])
            what = f"{chemistry.pair_name(int(pair))} {value:.2f} Å apart, less than {edge:.2f} Å"
            yield Finding(chemistry.frames[index], "OVERLAP", value, edge, what)


class Stretched:
    """Frames in which no two atoms are near: lengths in another unit, or a torn structure.

    The closest pair, in sums of covalent radii, hardly varies in a set; here it is more than 1.4
    times the usual one, far outside of the spread, and longer than any bond.
    """

    codes: tuple[str, ...] = ("STRETCHED",)
    factor = 1.4
    bond = 1.3
    deviations = 8.0

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give frames without near atoms."""
        if len(chemistry.frames) < _ENOUGH:
            return
        nearest = (np.array(chemistry.closest) / chemistry.radii_sums()).min(axis=1)
        usual, _ = spread(nearest)
        far = scores(np.log(np.where(np.isfinite(nearest), nearest, np.nan)), 0.02)
        wrong = (nearest > max(self.factor * usual, self.bond)) & ~(far < self.deviations)
        wrong &= chemistry.column("broken") == 0
        wrong &= chemistry.column("natoms") > 1
        for index in np.flatnonzero(wrong):
            value = float(min(nearest[index], 99.0))
            what = (
                f"the closest atoms are {value:.2f} sums of covalent radii apart, {usual:.2f} is "
                f"usual: coordinates may be in Bohr"
            )
            frame = chemistry.frames[index]
            yield Finding(
                frame, "STRETCHED", value, self.factor * usual, what, "coordinates * 0.529177"
            )


class CellMismatch:
    """Cells that do not belong to their coordinates: too large on all sides.

    Compared with frames of the same composition: more volume, and an empty layer in all three
    lattice directions at once. A slab has one in one direction only.
    """

    codes: tuple[str, ...] = ("CELL_SCALE",)
    volume = 1.3
    deviations = 6.0

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give frames whose cell is too large."""
        names = np.array(chemistry.compositions)
        volume, gap = chemistry.column("volume"), chemistry.column("gap")
        for name in np.unique(names):
            mine = np.flatnonzero(names == name)
            if len(mine) < _ENOUGH or not np.isfinite(volume[mine]).any():
                continue
            usual, _ = spread(volume[mine])
            empty, width = spread(gap[mine], 0.1)
            limit = empty + self.deviations * width
            for index in mine[(volume[mine] > self.volume * usual) & (gap[mine] > limit)]:
                what = (
                    f"{volume[index]:.1f} Å³ per atom where {usual:.1f} is usual, and a layer of "
                    f"{gap[index]:.1f} Å without atoms in all three directions (limit {limit:.1f})"
                )
                frame = chemistry.frames[index]
                yield Finding(frame, "CELL_SCALE", float(gap[index]), limit, what)


class NetForce:
    """Forces that do not add up to zero, in sets where they do.

    Without an outer field ΣF = 0 (Newton's third law); codes that work on grids leave a rest,
    which the set's own spread allows for. One exploded force leaves a sum as large as itself.
    """

    codes: tuple[str, ...] = ("NET_FORCE", "F_EXPLODE")
    deviations = 12.0
    floor = 0.02
    of_largest = 0.5
    exploded = 10.0

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give frames with a net force that the set does not explain."""
        natoms = chemistry.column("natoms")
        net, largest = chemistry.column("force_net"), chemistry.column("force_max")
        mean = net / natoms
        usual, width = spread(mean)
        if not np.isfinite(usual):
            return
        limit = usual + self.deviations * max(width, self.floor / 10)
        limit = max(limit, self.floor)
        typical = spread(largest)[0]
        for index in np.flatnonzero(mean > limit):
            frame, value = chemistry.frames[index], float(mean[index])
            lone = abs(net[index] / largest[index] - 1) < self.of_largest
            if lone and largest[index] > self.exploded * typical:
                what = f"one force of {largest[index]:.1f} eV/Å that nothing balances"
                yield Finding(frame, "F_EXPLODE", float(largest[index]), None, what)
            else:
                what = f"forces sum to {value:.3f} eV/Å per atom, more than {limit:.3f}"
                yield Finding(frame, "NET_FORCE", value, limit, what, "subtract the mean force")


HARTREE_EV = 27.211386
KCAL_MOL_EV = 1 / 23.060548


class EnergyScale:
    """Energies whose size belongs to another unit.

    The energy per atom is far from the others of its composition, and one of the usual mistakes
    (Hartree, kcal/mol, per atom) brings it back among them.
    """

    codes: tuple[str, ...] = ("E_UNIT", "E_OUTLIER")
    deviations = 30.0

    def __call__(self, chemistry: Chemistry) -> Iterator[Finding]:
        """Give frames with energies in another unit."""
        names = np.array(chemistry.compositions)
        energy, natoms = chemistry.column("energy"), chemistry.column("natoms")
        for name in np.unique(names):
            mine = np.flatnonzero(names == name)
            mine = mine[np.isfinite(energy[mine])]
            if len(mine) < _ENOUGH:
                continue
            usual, width = spread(energy[mine], 1e-3)
            for index in mine[np.abs(energy[mine] - usual) > self.deviations * width]:
                yield self._explain(
                    chemistry.frames[index], energy[index], usual, width, natoms[index]
                )

    def _explain(
        self, frame: int, energy: float, usual: float, width: float, natoms: float
    ) -> Finding:
        off = abs(energy - usual)
        for unit, factor in energy_units(natoms):
            if abs(energy * factor - usual) < max(self.deviations * width / 3, 0.02 * abs(usual)):
                what = (
                    f"{energy:.4g} eV per atom where {usual:.4g} is usual; read as {unit} it is "
                    f"{energy * factor:.4g} eV per atom"
                )
                return Finding(frame, "E_UNIT", off, self.deviations * width, what,
                               f"energy * {factor:.6g}")  # fmt: skip
        what = f"{energy:.4g} eV per atom where {usual:.4g} ± {width:.2g} is usual"
        return Finding(frame, "E_OUTLIER", off, self.deviations * width, what)


def energy_units(natoms: float) -> list[tuple[str, float]]:
    """Return the usual mistakes and the factors that repair them."""
    return [
        ("Hartree", HARTREE_EV),
        ("kcal/mol", KCAL_MOL_EV),
        ("energy per atom", natoms),
        ("Rydberg", HARTREE_EV / 2),
        ("kJ/mol", KCAL_MOL_EV / 4.184),
        ("a negated energy", -1.0),
    ]


def all_rules() -> list[Rule]:
    """Return all rules, in the order in which they are reported."""
    return [
        Finite(),
        LeftHanded(),
        Overlap(),
        Stretched(),
        CellMismatch(),
        NetForce(),
        EnergyScale(),
    ]


def log_finite(values: FloatArray) -> FloatArray:
    """Return the logarithm, NaN where there is none."""
    return np.log(np.where(values > 0, values, np.nan))
