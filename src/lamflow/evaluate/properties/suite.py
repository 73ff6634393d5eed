"""Property tests as data: which property of which crystal, what it should be, and how nearly.

    - crystal: {element: Cu, structure: fcc, a: 3.6}
      property: bulk modulus
      reference: 137
      tolerance: 10

A value passes if it differs from the reference by at most the tolerance, or without a reference
lies between `low` and `high`.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from pydantic import Field, model_validator

from lamflow.config.base import Integer, Number, PositiveInteger, PositiveNumber, StrictModel
from lamflow.errors import InputError, LamflowError, Problem
from lamflow.evaluate.properties.bulk import (
    EquationOfState,
    cohesive_energy,
    elastic_tensor,
    equation_of_state,
    relaxed,
)
from lamflow.evaluate.properties.defects import surface_energy, vacancy_energy
from lamflow.evaluate.properties.dynamics import energy_drift, survival_time
from lamflow.evaluate.properties.phonons import phonons
from lamflow.evaluate.properties.result import PropertyValue

if TYPE_CHECKING:
    from ase import Atoms

PropertyName = Literal[
    "volume", "bulk modulus", "C11", "C12", "C44", "cohesive energy", "vacancy energy",
    "surface energy 111", "surface energy 100", "lowest phonon", "heat capacity", "energy drift",
    "survival",
]  # fmt: skip
PROPERTIES: tuple[str, ...] = get_args(PropertyName)
_VACUUM = 10.0  # Å on each side of a slab
_LAYERS = 8
_WIDEST_VACANCY_CELL = 3


class Crystal(StrictModel):
    """A crystal of one element, as `ase.build.bulk` makes it."""

    element: str
    """Chemical symbol."""
    structure: Literal["fcc", "bcc", "sc", "diamond"]
    """Structure; cubic."""
    a: PositiveNumber
    """Lattice constant to start from, Å."""


class PropertyTest(StrictModel):
    """One property of one crystal and its limits."""

    crystal: Crystal
    """What is computed."""
    property: PropertyName
    """Which property; units in `UNITS`."""
    reference: Number | None = None
    """What it should be, from DFT of the same level as the labels or from experiment."""
    tolerance: Annotated[Number, Field(ge=0)] | None = None
    """Largest allowed difference from the reference."""
    low: Number | None = None
    """Smallest allowed value, if there is no reference."""
    high: Number | None = None
    """Largest allowed value, if there is no reference."""
    source: str = ""
    """Where the reference is from."""

    @model_validator(mode="after")
    def _has_limits(self) -> "PropertyTest":
        if (self.reference is None) != (self.tolerance is None):
            raise ValueError("reference and tolerance belong together")
        if self.reference is None and self.low is None and self.high is None:
            raise ValueError("give a reference with a tolerance, or low or high")
        return self

    def allows(self, value: float) -> bool:
        """Whether a value is within the limits."""
        if self.reference is not None and self.tolerance is not None:
            return abs(value - self.reference) <= self.tolerance
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class MdSettings(StrictModel):
    """Short dynamics for the drift and the survival."""

    temperature: PositiveNumber = 300.0
    """K."""
    steps: PositiveInteger = 500
    """Steps of each run."""
    timestep: PositiveNumber = 2.0
    """fs."""
    seed: Integer = 0
    """Of the velocities."""


UNITS: dict[str, str] = {
    "volume": "Å³/atom", "bulk modulus": "GPa", "C11": "GPa", "C12": "GPa", "C44": "GPa",
    "cohesive energy": "eV/atom", "vacancy energy": "eV", "surface energy 111": "J/m²",
    "surface energy 100": "J/m²", "lowest phonon": "THz", "heat capacity": "J/(mol K)",
    "energy drift": "eV/atom/ps", "survival": "ps",
}  # fmt: skip


def run_tests(
    tests: Iterable[PropertyTest], calculator: Any, settings: MdSettings | None = None
) -> list[PropertyValue]:
    """Compute the property of each test; what can't be computed has failed, with the reason.

    Parameters
    ----------
    tests
        Which; those of one crystal share its relaxation.
    calculator
        ASE calculator with stress.
    settings
        For the dynamics.

    Raises
    ------
    InputError
        A crystal can't be built, or a package is missing.
    """
    bench = {}
    values = []
    for test in tests:
        if test.crystal not in bench:
            bench[test.crystal] = _Bench(test.crystal, calculator, settings or MdSettings())
        values.append(_run(test, bench[test.crystal]))
    return values


def _run(test: PropertyTest, bench: "_Bench") -> PropertyValue:
    value, reason = None, ""
    try:
        value = bench.value(test.property)
    except InputError:
        raise
    except (LamflowError, ArithmeticError, ValueError) as error:
        reason = str(error)
    if value is not None and not np.isfinite(value):
        value, reason = None, "is not finite"
    return PropertyValue(
        system=f"{test.crystal.element} {test.crystal.structure}",
        name=test.property, value=value, unit=UNITS[test.property], reference=test.reference,
        passed=value is not None and test.allows(value), reason=reason,
    )  # fmt: skip


class _Bench:
    """Computes properties of one crystal; what several need is computed once."""

    def __init__(self, crystal: Crystal, calculator: Any, settings: MdSettings) -> None:
        self._crystal = crystal
        self._calculator = calculator
        self._md = settings
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
            "energy drift": self._drift,
            "survival": self._survival,
        }

    def value(self, name: str) -> float:
        return self._functions[name]()

    @cached_property
    def _cell(self) -> "Atoms":
        """The cubic cell, relaxed."""
        from ase.build import bulk

        crystal = self._crystal
        try:
            start = bulk(crystal.element, crystal.structure, a=crystal.a, cubic=True)
        except (ValueError, RuntimeError, KeyError) as error:
            what = f"no {crystal.structure} crystal can be built: {error}"
            raise InputError(Problem(crystal.element, "", what)) from error
        return relaxed(start, self._calculator)

    @cached_property
    def _eos(self) -> EquationOfState:
        return equation_of_state(self._cell, self._calculator)

    @cached_property
    def _elastic(self) -> Any:
        return elastic_tensor(self._cell, self._calculator)

    @cached_property
    def _phonons(self) -> Any:
        return phonons(self._cell, self._calculator, (2, 2, 2))

    def _vacancy(self) -> float:
        cells = self._cell.repeat(_WIDEST_VACANCY_CELL)
        return vacancy_energy(cells, self._calculator)

    def _surface(self, face: str) -> float:
        from ase import build

        maker = getattr(build, f"{self._crystal.structure}{face}", None)
        if maker is None:
            what = f"no surface {face} can be built; fcc, bcc and diamond have some"
            raise InputError(Problem(self._crystal.structure, "", what))
        slab = maker(
            self._crystal.element, size=(1, 1, _LAYERS), a=float(self._cell.cell.lengths()[0]),
            vacuum=_VACUUM, periodic=True,
        )  # fmt: skip
        energy = self._cell.get_potential_energy() / len(self._cell)
        return surface_energy(slab, self._calculator, energy)

    def _drift(self) -> float:
        drift = energy_drift(self._cell.repeat(2), self._calculator, **self._dynamics())
        return abs(drift.slope)

    def _survival(self) -> float:
        return survival_time(self._cell.repeat(2), self._calculator, **self._dynamics())

    def _dynamics(self) -> dict[str, Any]:
        md = self._md
        return {
            "temperature": md.temperature, "steps": md.steps, "timestep": md.timestep,
            "rng": np.random.default_rng(md.seed),
        }  # fmt: skip
