"""How much the members of a committee disagree about a frame."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from lamflow.data.frames import FloatArray, System
from lamflow.errors import InputError
from lamflow.evaluate.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Deviation:
    """Model deviation of frames; NaN where a prediction is not finite.

    Attributes
    ----------
    force_max
        (nframes,) eV/Å, of the atom about which the members disagree most.
    force_mean
        (nframes,) eV/Å, mean over atoms.
    virial
        (nframes,) eV/atom, root mean square over the nine components; NaN without a cell.
    """

    force_max: FloatArray
    force_mean: FloatArray
    virial: FloatArray

    @classmethod
    def join(cls, parts: Sequence["Deviation"]) -> "Deviation":
        """Put those of several systems behind each other."""
        names = [field.name for field in fields(cls)]
        empty = np.empty(0)
        return cls(*(np.concatenate([empty, *(getattr(p, name) for p in parts)]) for name in names))


def force_deviation(forces: FloatArray) -> FloatArray:
    """Disagreement about the force on each atom, (nframes, natoms) eV/Å.

    Parameters
    ----------
    forces
        (nmembers, nframes, natoms, 3) eV/Å.

    Notes
    -----
    εᵢ = sqrt(⟨|Fᵢ − ⟨Fᵢ⟩|²⟩) with means over the members: Zhang et al., Phys. Rev.
    Materials 3, 023804 (2019); DP-GEN (Zhang et al., Comput. Phys. Commun. 253, 107206, 2020)
    takes its maximum over atoms.
    """
    spread = forces - forces.mean(axis=0)
    return np.asarray(np.sqrt(np.square(spread).sum(axis=-1).mean(axis=0)))


def virial_deviation(virials: FloatArray, natoms: int) -> FloatArray:
    """Disagreement about the virial, (nframes,) eV/atom.

    Parameters
    ----------
    virials
        (nmembers, nframes, 3, 3) eV.
    natoms
        Atoms per frame.

    Notes
    -----
    Standard deviation of each component over the members, per atom, root mean square over the
    components: ``avg_devi_v`` of DeePMD-kit's ``dp model-devi``.
    """
    variance = virials.var(axis=0) / natoms**2
    return np.asarray(np.sqrt(variance.mean(axis=(-2, -1))))


def committee_deviation(
    members: Sequence[Predictor], systems: Iterable[System]
) -> Iterator[tuple[System, Deviation]]:
    """Yield each system with its deviation; only one system is in memory at a time.

    Parameters
    ----------
    members
        Two or more models of different seeds.
    systems
        Frames in chunks, as `lamflow.data.dataset.Dataset.systems` yields them.

    Raises
    ------
    InputError
        There are fewer than two members, or one does not know an element.
    """
    if len(members) < 2:
        raise InputError(f"a committee needs two members or more, not {len(members)}")
    for system in systems:
        predictions = [member.predict(system) for member in members]
        atoms = force_deviation(np.stack([one.forces for one in predictions]))
        virial = np.full(system.nframes, np.nan)
        if system.periodic:
            virials = np.stack([one.virials for one in predictions])
            virial = virial_deviation(virials, system.natoms)
        yield system, Deviation(atoms.max(axis=1), atoms.mean(axis=1), virial)
