"""Computes properties of one system; what several of them need is computed once."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lamflow.errors import InputError, Problem, RunError
from lamflow.evaluate.properties.bulk import (
    EquationOfState,
    cohesive_energy,
    elastic_tensor,
    equation_of_state,
    relaxed,
)
from lamflow.evaluate.properties.defects import surface_energy, vacancy_energy
from lamflow.evaluate.properties.dynamics import (
    NveRun,
    NvtRun,
    diffusion_coefficient,
    md_speed,
    mean_squared_displacement,
    radial_distribution,
    run_nve,
    run_nvt,
)
from lamflow.evaluate.properties.phonons import Phonons, phonons
from lamflow.evaluate.properties.result import PropertyCurve
from lamflow.evaluate.properties.suite import Crystal, MdSettings

if TYPE_CHECKING:
    from ase import Atoms

_VACUUM = 10.0  # Å on each side of a slab
_LAYERS = 8
_MD_WIDTH = 7.0  # Å, of the cell of the dynamics
_WIDE = 10.0  # Å: a defect does not see its images
_RDF_CUTOFF = 8.0  # Å
_RDF_BINS = 160
_SPEED_STEPS = 20
_DOS_BINS = 60
_FMAX = 0.01  # eV/Å, of molecules and of crystals from files


class Bench:
    """Computes properties of one system.

    Parameters
    ----------
    start
        A crystal or any frame.
    calculator
        ASE calculator.
    settings
        For the dynamics.

    Attributes
    ----------
    curves
        What lies behind the values computed so far, by system "".
    """

    def __init__(self, start: "Atoms | Crystal", calculator: Any, settings: MdSettings) -> None:
        self._crystal = start if isinstance(start, Crystal) else None
        self._start = start.build() if isinstance(start, Crystal) else start
        self._calculator = calculator
        self._md = settings
        self.curves: list[PropertyCurve] = []
        self._functions: dict[str, Callable[[], float]] = {
            "volume": lambda: self._eos.volume,
            "bulk modulus": lambda: self._eos.bulk_modulus,
            "C11": lambda: float(self._elastic[0, 0]),
            "C12": lambda: float(self._elastic[0, 1]),
            "C44": lambda: float(self._elastic[3, 3]),
            "cohesive energy": lambda: cohesive_energy(self._cell, calculator),
            "vacancy energy": self._vacancy,
            "surface energy 111": lambda: self._surface("111"),
            "surface energy 100": lambda: self._surface("100"),
            "lowest phonon": lambda: float(self._phonons.frequencies.min()),
            "heat capacity": lambda: self._phonons.heat_capacity,
            "energy drift": lambda: abs(self._nve.drift.slope),
            "survival": lambda: self._nvt.survived,
            "RDF peak": self._rdf_peak,
            "diffusion": self._diffusion,
            "speed": self._speed,
        }

    def value(self, name: str) -> float:
        """Compute a property of `lamflow.evaluate.properties.suite.PROPERTIES`."""
        return self._functions[name]()

    @property
    def _periodic(self) -> bool:
        return bool(self._start.pbc.all())

    @cached_property
    def _cell(self) -> "Atoms":
        """The system, relaxed."""
        if self._crystal:
            return relaxed(self._start, self._calculator)
        return relaxed(self._start, self._calculator, cell=self._periodic, fmax=_FMAX)

    @cached_property
    def _eos(self) -> EquationOfState:
        self._need_crystal("equation of state")
        found = equation_of_state(self._cell, self._calculator)
        self._draw(
            "equation of state", "volume (Å³/atom)", "energy (eV/atom)", found.volumes,
            found.energies, points=True,
        )  # fmt: skip
        return found

    @cached_property
    def _elastic(self) -> Any:
        self._need_crystal("elastic constants")
        return elastic_tensor(self._cell, self._calculator)

    @cached_property
    def _phonons(self) -> Phonons:
        self._need_crystal("phonons")
        found = phonons(self._cell, self._calculator, (2, 2, 2))
        density, edges = np.histogram(found.frequencies, bins=_DOS_BINS, density=True)
        self._draw(
            "phonons", "frequency (THz)", "density of states (1/THz)",
            (edges[1:] + edges[:-1]) / 2, density,
        )  # fmt: skip
        return found

    def _vacancy(self) -> float:
        self._need_crystal("vacancy energy")
        if len(set(self._start.symbols)) > 1:
            what = "vacancy energy needs an element; a compound's depends on chemical potentials"
            raise InputError(Problem(str(self._start.symbols), "properties", what))
        return vacancy_energy(_repeated(self._cell, _WIDE), self._calculator)

    def _surface(self, face: str) -> float:
        from ase import build

        crystal = self._crystal
        maker = getattr(build, f"{crystal.structure}{face}", None) if crystal else None
        if crystal is None or maker is None:
            what = f"no surface {face} can be built; fcc, bcc and diamond have some"
            where = crystal.structure if crystal else str(self._start.symbols)
            raise InputError(Problem(where, "", what))
        slab = maker(
            crystal.element, size=(1, 1, _LAYERS), a=float(self._cell.cell.lengths()[0]),
            vacuum=_VACUUM, periodic=True,
        )  # fmt: skip
        energy = self._cell.get_potential_energy() / len(self._cell)
        return surface_energy(slab, self._calculator, energy)

    @cached_property
    def _large(self) -> "Atoms":
        """The system for dynamics."""
        return _repeated(self._cell, _MD_WIDTH) if self._periodic else self._cell.copy()

    @cached_property
    def _nvt(self) -> NvtRun:
        md = self._md
        return run_nvt(
            self._large, self._calculator, temperature=md.temperature_K, steps=md.steps,
            timestep=md.timestep_fs, rng=np.random.default_rng(md.seed),
        )  # fmt: skip

    @cached_property
    def _nve(self) -> NveRun:
        """From where the thermostat left it."""
        if not self._nvt.complete:
            raise RunError(f"the trajectory at {self._md.temperature_K:g} K did not survive")
        found = run_nve(
            self._nvt.frames[-1], self._calculator, steps=self._md.steps,
            timestep=self._md.timestep_fs,
        )  # fmt: skip
        moved = 1000 * (found.energies - found.energies[0])
        self._draw("NVE total energy", "time (ps)", "energy − start (meV/atom)", found.times, moved)
        return found

    def _rdf_peak(self) -> float:
        """Place of the highest peak of g(r), over the second half of the frames."""
        self._need_crystal("RDF")
        frames = self._nvt.frames
        radii, values = radial_distribution(frames[len(frames) // 2 :], _RDF_CUTOFF, _RDF_BINS)
        self._draw("RDF", "distance (Å)", "g(r)", radii, values)
        return float(radii[int(values.argmax())])

    def _diffusion(self) -> float:
        nve = self._nve
        moved = mean_squared_displacement(nve.positions)
        self._draw("MSD", "time (ps)", "displacement² (Å²)", nve.times, moved)
        return diffusion_coefficient(nve.times, moved)

    def _speed(self) -> float:
        steps = min(self._md.steps, _SPEED_STEPS)
        rng = np.random.default_rng(self._md.seed)
        return md_speed(
            self._large, self._calculator, steps=steps, rng=rng, timestep=self._md.timestep_fs
        )

    def _need_crystal(self, what: str) -> None:
        if not self._periodic:
            raise InputError(
                Problem(str(self._start.symbols), "properties", f"a molecule has no {what}")
            )

    def _draw(
        self, name: str, x_label: str, y_label: str, x: Any, y: Any, *, points: bool = False
    ) -> None:
        shown = np.isfinite(y)
        self.curves.append(
            PropertyCurve(
                system="",
                name=name,
                x_label=x_label,
                y_label=y_label,
                points=points,
                x=tuple(map(float, np.asarray(x)[shown])),
                y=tuple(map(float, np.asarray(y)[shown])),
            )
        )


def _repeated(atoms: "Atoms", width: float) -> "Atoms":
    """Repeat a cell until each of its edges is at least `width` Å long."""
    times = np.ceil(width / atoms.cell.lengths() - 1e-6).astype(int)
    return atoms.repeat(tuple(int(n) for n in np.maximum(times, 1)))
