"""Properties of perfect crystals: cell, equation of state, elastic constants, cohesion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.data.frames import FloatArray
from lamflow.errors import RunError

if TYPE_CHECKING:
    from ase import Atoms

_FMAX = 1e-3  # eV/Å, on atoms and on the cell (eV, see FrechetCellFilter)
_STEPS = 500
_EOS_STRAINS = tuple(np.linspace(-0.03, 0.03, 7))
_SMALL_STRAIN = 0.005
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class EquationOfState:
    """Fit of energies to volumes.

    Attributes
    ----------
    volume
        At the minimum, Å³/atom.
    energy
        At the minimum, eV/atom.
    bulk_modulus
        GPa.
    bulk_modulus_derivative
        With pressure, at zero pressure; no unit.
    volumes, energies
        What was fitted, Å³/atom and eV/atom.
    """

    volume: float
    energy: float
    bulk_modulus: float
    bulk_modulus_derivative: float
    volumes: tuple[float, ...] = ()
    energies: tuple[float, ...] = ()


def relaxed(
    atoms: "Atoms", calculator: Any, *, cell: bool = True, fmax: float = _FMAX, steps: int = _STEPS
) -> "Atoms":
    """Return a copy at the nearest minimum of the energy, with its calculator.

    Parameters
    ----------
    atoms
        Where to start.
    calculator
        ASE calculator; with stress if `cell`.
    cell
        Whether the cell relaxes, too.
    fmax
        Largest force that may remain, eV/Å.
    steps
        Most steps to take.

    Raises
    ------
    RunError
        It does not converge.

    Notes
    -----
    L-BFGS: D. C. Liu and J. Nocedal, Math. Program. 45, 503 (1989).
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS

    copy = atoms.copy()
    copy.calc = calculator
    optimizer = LBFGS(FrechetCellFilter(copy) if cell else copy, logfile=None)
    if not optimizer.run(fmax=fmax, steps=steps):
        raise RunError(f"{atoms.symbols}: not relaxed below {fmax} eV/Å within {steps} steps")
    return copy


def equation_of_state(
    atoms: "Atoms", calculator: Any, strains: Sequence[float] = _EOS_STRAINS
) -> EquationOfState:
    """Fit the energy of a crystal at several volumes; atoms keep their fractional coordinates.

    Parameters
    ----------
    atoms
        Near its equilibrium volume.
    calculator
        ASE calculator.
    strains
        Changes of the cell's lengths; at least four.

    Raises
    ------
    RunError
        The energies have no minimum among the volumes.

    Notes
    -----
    Third-order Birch-Murnaghan: F. Birch, Phys. Rev. 71, 809 (1947).
    """
    from ase.eos import EquationOfState as Fit
    from ase.units import GPa

    volumes, energies = [], []
    for strain in strains:
        strained = atoms.copy()
        strained.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
        strained.calc = calculator
        volumes.append(strained.get_volume() / len(atoms))
        energies.append(strained.get_potential_energy() / len(atoms))
    fit = Fit(volumes, energies, eos="birchmurnaghan")
    try:
        volume, energy, modulus = fit.fit(warn=False)
    except (ValueError, RuntimeError) as error:
        raise RunError(
            f"{atoms.symbols}: the equation of state can't be fitted: {error}"
        ) from error
    if not min(volumes) < volume < max(volumes):
        raise RunError(
            f"{atoms.symbols}: no minimum between {min(volumes):.2f} and {max(volumes):.2f} Å³/atom"
        )
    return EquationOfState(
        float(volume), float(energy), float(modulus / GPa), float(fit.eos_parameters[2]),
        tuple(map(float, volumes)), tuple(map(float, energies)),
    )  # fmt: skip


def elastic_tensor(
    atoms: "Atoms", calculator: Any, strain: float = _SMALL_STRAIN, *, relax_atoms: bool = True
) -> FloatArray:
    """Compute the elastic constants by finite differences of the stress.

    Parameters
    ----------
    atoms
        At zero stress (see `relaxed`).
    calculator
        ASE calculator with stress.
    strain
        Size of each strain; ± both are computed. Larger than 0.01 gives wrong shear constants.
    relax_atoms
        Whether atoms relax in each strained cell; it changes nothing where symmetry holds them.

    Returns
    -------
    (6, 6) GPa, Voigt order xx, yy, zz, yz, xz, xy, symmetrized.

    Notes
    -----
    Stress-strain method: Y. Le Page and P. Saxe, Phys. Rev. B 65, 104104 (2002).
    """
    from ase.units import GPa

    tensor = np.empty((6, 6))
    for index, (a, b) in enumerate(_VOIGT):
        stresses = []
        for sign in (1, -1):
            deformation = np.eye(3)
            # Engineering strain: a shear of γ is γ/2 at both places.
            deformation[a, b] += sign * strain / (1 if a == b else 2)
            deformation[b, a] = deformation[a, b]
            strained = atoms.copy()
            strained.set_cell(atoms.cell @ deformation, scale_atoms=True)
            strained.calc = calculator
            if relax_atoms:
                strained = relaxed(strained, calculator, cell=False)
            stresses.append(strained.get_stress(voigt=True))
        tensor[index] = (stresses[0] - stresses[1]) / (2 * strain)
    return np.asarray((tensor + tensor.T) / 2 / GPa)


def cohesive_energy(
    atoms: "Atoms", calculator: Any, isolated: Mapping[str, float] | None = None
) -> float:
    """Return the energy that it takes to pull a crystal apart into atoms, eV/atom.

    Parameters
    ----------
    atoms
        The crystal, relaxed.
    calculator
        ASE calculator.
    isolated
        Energy of one atom of each element, eV; default: what the calculator says of an atom alone
        in a cell of 20 Å. A model that has seen no single atoms is not to be trusted there.
    """
    from ase import Atoms as Build

    counts = {str(symbol): int(n) for symbol, n in atoms.symbols.formula.count().items()}
    total = 0.0
    for symbol, number in counts.items():
        if isolated is not None:
            total += number * isolated[symbol]
            continue
        alone = Build(symbol, cell=np.eye(3) * 20.0, pbc=True)
        alone.calc = calculator
        total += number * float(alone.get_potential_energy())
    copy = atoms.copy()
    copy.calc = calculator
    return (total - float(copy.get_potential_energy())) / len(atoms)
